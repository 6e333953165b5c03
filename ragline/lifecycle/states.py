"""The states of a document and the transitions between them.

The page docs/lifecycle.md shows them as a table. In the database, the trigger
`documents_transition` refuses every other transition. Tests check that this module, the page and
the trigger agree. `listing`, `ledger` and the commands make the transitions.
"""

from __future__ import annotations

from typing import NamedTuple

STATES = ("pending", "ready", "failed", "quarantined", "unsupported", "missing", "removed")


class Transition(NamedTuple):
    """A transition from any of `from_states` to `to_state`. `when` says what causes it."""

    from_states: tuple[str, ...]
    to_state: str
    when: str


TRANSITIONS = (
    Transition(("pending",), "ready", "the live generation contains the listed version"),
    Transition(
        ("ready", "failed", "quarantined", "unsupported"),
        "pending",
        "for one of five causes: (1) The source lists another version. (2) A sync proof found a "
        "difference. (3) A rollback made a generation live that does not contain the current "
        "version of the document. (4) Ragline reads the document again, after a retry "
        "or a release from quarantine. (5) The parser has another version.",
    ),
    Transition(
        ("pending", "ready", "quarantined", "unsupported"),
        "failed",
        "it could not be read, and another attempt can succeed",
    ),
    Transition(
        ("pending", "ready", "failed", "unsupported"),
        "quarantined",
        "its content is refused, it failed for the fifth time, or the live index cannot store one "
        "of its entries",
    ),
    Transition(
        ("pending", "ready", "failed", "quarantined"),
        "unsupported",
        "no reader for its format is installed",
    ),
    Transition(
        ("pending", "ready", "failed", "quarantined", "unsupported"),
        "missing",
        "a complete listing does not contain it, and the removal is not held",
    ),
    Transition(("missing", "removed"), "pending", "the source lists it again"),
    Transition(("missing",), "removed", "no generation contains an entry of the document any more"),
)


def list_pairs() -> set[tuple[str, str]]:
    """Return every permitted transition as a pair (from, to)."""
    return {(state, rule.to_state) for rule in TRANSITIONS for state in rule.from_states}
