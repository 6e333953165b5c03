"""The states of a generation and the transitions between them.

The page docs/lifecycle.md shows them as a table. In the database, the trigger
`generations_transition` refuses every other transition. A test checks that this module, the page
and the trigger agree. The modules `generations` and `generation_decisions` make the transitions.
"""

from __future__ import annotations

from ragline.lifecycle.states import Transition

GENERATION_STATES = (
    "building",
    "candidate",
    "live",
    "retired",
    "refused",
    "abandoned",
    "dropped",
)

GENERATION_TRANSITIONS = (
    Transition(("building",), "candidate", "it contains every readable document"),
    Transition(
        ("building",),
        "live",
        "it is the first generation of the collection and contains every readable document; or a "
        "process of an older release promotes it",
    ),
    Transition(
        ("candidate",),
        "live",
        "an operator promotes it, or with the setting `build: automatic` a sync; if the "
        "collection has a golden set, both need a passed gate, unless an operator forces the "
        "promotion with a reason",
    ),
    Transition(("live",), "retired", "another generation became live"),
    Transition(
        ("retired",),
        "live",
        "an operator returns to it; or a sync promotes it, because the configuration asks for it "
        "again, with the setting `build: automatic`",
    ),
    Transition(("candidate",), "refused", "an operator refuses it"),
    Transition(("refused",), "building", "an operator builds it again"),
    Transition(("building", "candidate"), "abandoned", "the configuration no longer asks for it"),
    Transition(
        ("abandoned",), "building", "the configuration asks for it again before it is dropped"
    ),
    Transition(
        ("retired", "refused", "abandoned"),
        "dropped",
        "a sync drops a `retired` generation after one day if the configuration does not ask for "
        "it; a run drops an `abandoned` generation at once; an operator can drop a generation in "
        "each of these states at any time; only an operator drops a `refused` generation, whose "
        "table is already deleted",
    ),
    Transition(
        ("abandoned",), "live", "a process of a release before 0.4 still runs and promotes it"
    ),
)


def list_generation_pairs() -> set[tuple[str, str]]:
    """Return every permitted transition as a pair (from, to)."""
    return {(state, rule.to_state) for rule in GENERATION_TRANSITIONS for state in rule.from_states}
