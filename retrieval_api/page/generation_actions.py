"""The decisions that the page offers about a generation, and what each of them does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from ragline.errors import GenerationStateError
from retrieval_api.access.callers import Caller
from retrieval_api.messages.fields import MAX_ROW_ID
from retrieval_api.messages.generations import ApprovalBody, DecisionBody, PromotionBody
from retrieval_api.operations.generations import (
    approve,
    find_generation,
    promote,
    refuse,
    return_to_previous,
)
from retrieval_api.page.generation_views import GenerationView

ROW_ID = re.compile("[0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class Action:
    """A decision: the label of its button, its consequence, and what the page says afterwards.

    With `can_force`, the form offers to promote although the gate has not passed the candidate.
    """

    name: str
    label: str
    consequence: str
    done: str
    can_force: bool = False


APPROVE = Action(
    "approve", "Approve",
    "Record that you have read the last report and agree. This does not change what searches use.",
    "The approval is recorded.",
)  # fmt: skip
PROMOTE = Action(
    "promote", "Promote",
    "Searches use this generation at once. The live one retires, and a rollback is possible.",
    "The generation is live now.",
)  # fmt: skip
FORCE = Action("promote", "Promote", PROMOTE.consequence, PROMOTE.done, can_force=True)
REFUSE = Action(
    "refuse", "Refuse", "Delete the entries of this candidate. No sync builds it again.",
    "The candidate is refused.",
)  # fmt: skip
ROLLBACK = Action(
    "rollback", "Roll back",
    "Searches use the generation and the search settings of the previous release at once.",
    "Searches use the previous release again.",
)  # fmt: skip
DONE = {one.name: one.done for one in (APPROVE, PROMOTE, REFUSE, ROLLBACK)}


def list_actions(view: GenerationView, views: Sequence[GenerationView]) -> list[Action]:
    """List the decisions about a generation that its state permits."""
    state = view.record.state
    if state == "live" and any(one.record.state == "retired" for one in views):
        return [ROLLBACK]
    if state != "candidate":
        return []
    is_passed = view.report is not None and view.report.verdict == "passed"
    approval = [APPROVE] if view.report is not None else []
    return [*approval, PROMOTE if is_passed else FORCE, REFUSE]


def decide(caller: Caller, posted: Mapping[str, str]) -> str:
    """Execute the decision of a posted form. Return its name.

    Raises:
        RequestValidationError: a field is missing or malformed.
        GenerationStateError: the state of the generation has changed since the page was made.
        RaglineError: the operation refused the decision.
    """
    action = posted.get("action", "")
    if action not in _DECISIONS:
        raise _fault("action", f"must be one of {', '.join(_DECISIONS)}")
    collection, id_ = posted.get("collection", ""), _read_id(posted, "generation")
    _refuse_outdated(caller, collection, id_, posted.get("state"))
    try:
        _DECISIONS[action](caller, collection, id_, posted)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from None
    return action


def _refuse_outdated(caller: Caller, collection: str, id_: int, shown: str | None) -> None:
    """Refuse a decision about a generation that has another state now than the page showed."""
    state = find_generation(caller, collection, id_).state
    if shown and state != shown:
        raise GenerationStateError(
            f"generation {id_} of {collection} is {state} now, and the page showed it as {shown}; "
            "open the generations of the collection again, and decide again"
        )


def _approve(caller: Caller, collection: str, id_: int, posted: Mapping[str, str]) -> None:
    body = ApprovalBody(reason=_reason(posted), report_id=_read_id(posted, "report"))
    approve(caller, collection, id_, body)


def _promote(caller: Caller, collection: str, id_: int, posted: Mapping[str, str]) -> None:
    body = PromotionBody(reason=_reason(posted), force=posted.get("force") == "yes")
    promote(caller, collection, id_, body)


def _refuse(caller: Caller, collection: str, id_: int, posted: Mapping[str, str]) -> None:
    refuse(caller, collection, id_, DecisionBody(reason=_reason(posted)))


def _roll_back(caller: Caller, collection: str, _id: int, posted: Mapping[str, str]) -> None:
    return_to_previous(caller, collection, DecisionBody(reason=_reason(posted)))


_DECISIONS: dict[str, Callable[[Caller, str, int, Mapping[str, str]], None]] = {
    "approve": _approve,
    "promote": _promote,
    "refuse": _refuse,
    "rollback": _roll_back,
}


def _reason(posted: Mapping[str, str]) -> str:
    reason = posted.get("reason", "").strip()
    if not reason:
        raise _fault("reason", "say why; the trail records it")
    return reason


def _read_id(posted: Mapping[str, str], name: str) -> int:
    text = posted.get(name, "")
    if not ROW_ID.fullmatch(text) or not 1 <= int(text) <= MAX_ROW_ID:
        raise _fault(name, "must be a number of this page")
    return int(text)


def _fault(field: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": "form", "loc": ("body", field), "msg": message}])
