"""The states of a generation and the transitions between them.

The page docs/lifecycle.md shows this table. In the database, the trigger `generations_transition`
refuses every other transition. A test checks that the table, the page and the trigger agree. The
module `generations` makes the transitions.
"""

from __future__ import annotations

from ragline.lifecycle.states import Transition

GENERATION_STATES = ("building", "live", "retired", "abandoned", "dropped")

GENERATION_TRANSITIONS = (
    Transition(
        ("building", "retired"),
        "live",
        "it contains every readable document and the configuration asks for it",
    ),
    Transition(("live",), "retired", "another generation became live"),
    Transition(("building",), "abandoned", "the configuration no longer asks for it"),
    Transition(
        ("abandoned",), "building", "the configuration asks for it again before it is dropped"
    ),
    Transition(
        ("retired", "abandoned"),
        "dropped",
        "a `retired` generation is dropped after one day if the configuration does not ask for it; "
        "an `abandoned` generation is dropped at once",
    ),
    Transition(
        ("abandoned",), "live", "a process of a release before 0.4 still runs and promotes it"
    ),
)


def list_generation_pairs() -> set[tuple[str, str]]:
    """Return every permitted transition as a pair (from, to)."""
    return {(state, rule.to_state) for rule in GENERATION_TRANSITIONS for state in rule.from_states}
