"""The review screen: one proposed query at a time, its documents, and the answer of a person."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from ragline.golden_set.proposal_answers import read_rejections
from ragline.golden_set.reading import read_content
from ragline.golden_set.writing import is_folder_writable
from ragline.quality.golden_proposals import KINDS, Proposal, ProposalKind
from retrieval_api.access.callers import Caller
from retrieval_api.messages.golden_proposals import MAX_DAYS, ProposalAnswer
from retrieval_api.operations.golden_proposals import (
    list_proposals,
    name_judge,
    show_visible,
    store_answer,
)
from retrieval_api.page.collection_states import first_collection, list_names
from retrieval_api.page.error_pages import PageRoute
from retrieval_api.page.forms import read_posted_fields, read_text_fields
from retrieval_api.page.rendering import render
from retrieval_api.page.reviewed_documents import (
    GRADES,
    list_reviewed_documents,
    read_grades,
)
from retrieval_api.page.session import PageJudge, SameOriginOnly

MISSING_GRADE = "Give at least one document the grade 1 or 2, or choose another answer."
ANSWERED = re.compile("[0-9]{1,6}")
KIND_LABELS: dict[ProposalKind, str] = {
    "feedback": "feedback of users",
    "zero_results": "found nothing",
    "reformulation": "asked again in other words",
    "heading": "heading of a document",
}
TEXTS: dict[str, Any] = {"kinds": KIND_LABELS, "grades": GRADES, "missing_grade": MISSING_GRADE}
# What the person reads after an answer was stored.
STORED = {"accept": "Added to the golden set", "unanswerable": "Added as a query without an answer",
          "reject": "Rejected"}  # fmt: skip

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Posted = Annotated[dict[str, str], Depends(read_posted_fields)]


@dataclass(frozen=True, slots=True)
class Review:
    """What the review screen shows: a collection, a kind of proposals and a proposal.

    If `kind` is None, all kinds are shown. If `proposal` is empty, the first one is shown.
    `answered` counts the answers that the person gave since the screen was opened.
    """

    collection: str
    kind: ProposalKind | None
    proposal: str
    answered: int

    @classmethod
    def read(cls, given: Mapping[str, str], caller: Caller) -> Self:
        """Read the fields of a URL or of a form. A malformed field has its default."""
        answered = given.get("answered", "")
        return cls(
            given.get("collection") or first_collection(caller),
            next((kind for kind in KINDS if kind == given.get("kind")), None),
            given.get("proposal", ""),
            int(answered) if ANSWERED.fullmatch(answered) else 0,
        )

    def query_string(self, proposal: str, **more: str) -> str:
        """Return the query string of the screen for another proposal."""
        fields = {"collection": self.collection, "kind": self.kind, "proposal": proposal,
                  "answered": self.answered or None, **more}  # fmt: skip
        return urlencode({name: text for name, text in fields.items() if text})


@dataclass(frozen=True, slots=True)
class WaitingProposals:
    """The proposals that wait for an answer, and the index of the one that is shown."""

    proposals: list[Proposal]
    index: int

    @classmethod
    def read(cls, caller: Caller, review: Review) -> Self:
        """Read the proposals of a review. An unknown proposal is replaced by the first one."""
        found = list_proposals(caller, review.collection, review.kind, MAX_DAYS)
        ids = [one.id for one in found]
        return cls(found, ids.index(review.proposal) if review.proposal in ids else 0)

    @property
    def current(self) -> Proposal | None:
        return self.proposals[self.index] if self.proposals else None

    @property
    def next_id(self) -> str:
        """The id of the next proposal, or an empty text. The first one follows the last one."""
        if len(self.proposals) < 2:
            return ""
        return self.proposals[(self.index + 1) % len(self.proposals)].id


@router.get("/review")
def show_review(request: Request, caller: PageJudge) -> Response:
    """Show a proposed query with its documents. Without a proposal, show the first one."""
    given = read_text_fields(request)
    stored = STORED.get(given.get("stored", ""), "")
    return _show(request, caller, Review.read(given, caller), stored=stored)


@router.post("/review", dependencies=[SameOriginOnly])
def store_review(request: Request, posted: Posted, caller: PageJudge) -> Response:
    """Store the answer, and redirect to the next proposal. A wrong form is shown again."""
    review = Review.read(posted, caller)
    decision = posted.get("answer", "")
    graded = read_grades(posted)
    documents = graded if decision == "accept" else []
    try:
        answer = ProposalAnswer.model_validate({"answer": decision, "documents": documents})
    except ValidationError:
        return _show(request, caller, review, graded=graded, fault=_explain_fault(decision))
    following = WaitingProposals.read(caller, review).next_id
    store_answer(caller, review.collection, review.proposal, answer)
    counted = replace(review, answered=review.answered + 1)
    root = request.scope.get("root_path", "")
    return RedirectResponse(
        f"{root}/review?{counted.query_string(following, stored=decision)}", 303
    )


def _explain_fault(decision: str) -> str:
    if decision == "accept":
        return MISSING_GRADE
    return "Choose one of the answers."


def _show(
    request: Request,
    caller: Caller,
    review: Review,
    *,
    stored: str = "",
    graded: Sequence[Mapping[str, Any]] | None = None,
    fault: str = "",
) -> Response:
    waiting = WaitingProposals.read(caller, review)
    shown, documents = waiting.current, []
    if shown is not None:
        shown = show_visible(caller, review.collection, shown)
        documents = list_reviewed_documents(caller, review.collection, shown, graded)
    return render(
        request,
        "review.html",
        caller,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if fault else HTTPStatus.OK,
        review=review,
        collections=list_names(caller, review.collection),
        waiting=waiting,
        proposal=shown,
        documents=documents,
        judge=name_judge(caller),
        stored=stored,
        fault=fault,
        **TEXTS,
        **_describe_folder(caller.service.configuration.golden_folder(review.collection)),
    )


def _describe_folder(folder: Path) -> dict[str, Any]:
    """Return what the screen says about the golden set in a folder."""
    return {
        "golden_queries": len(read_content(folder).queries),
        "rejected": len(read_rejections(folder)),
        "is_writable": is_folder_writable(folder),
    }
