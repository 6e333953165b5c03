"""The documents of the review screen: the hits of a query, and the documents that records suggest.

One field of the form contains a document together with its grade. So the form also works in a
browser without scripts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.exceptions import RequestValidationError

from ragline.errors import IndexNotReadyError, UnknownDocumentError
from ragline.golden_set.proposal_answers import JudgedDocument
from ragline.quality.golden_proposals import Proposal
from ragline.search.inspection import ServedDocument, read_document
from ragline.search.messages import Hit, SearchRequest
from retrieval_api.access.callers import Caller
from retrieval_api.page.chunk_text import RenderedText, render_text

SHOWN_HITS = 10
# The grades that the screen offers, with their meaning.
GRADES = ((0, "not relevant"), (1, "relevant"), (2, "answers it fully"))
GRADE_FIELD = "grade-"

# Grades by source and document id.
_Grades = Mapping[tuple[str | None, str], int]


@dataclass(frozen=True, slots=True)
class ReviewedDocument:
    """A document to judge. `rank` is None if the search did not find it.

    `suggested` is the grade that the records suggest. `chosen` is the grade in the form.
    """

    document_id: str
    source: str
    title: str | None
    text: RenderedText
    rank: int | None
    suggested: int | None
    chosen: int | None

    def field_value(self, grade: int) -> str:
        """Return the value of the form's field that gives the document this grade."""
        return json.dumps([grade, self.source, self.document_id])


def list_reviewed_documents(
    caller: Caller, collection: str, proposal: Proposal, graded: Sequence[Mapping[str, Any]] | None
) -> list[ReviewedDocument]:
    """List the documents to judge: the hits of the query, then other suggested documents.

    The search is not recorded, because it is not a search of a user. `graded` has the grades of a
    form that is shown again. Without it, the suggested grades are chosen.
    """
    suggested: _Grades = {(one.source, one.document_id): one.grade for one in proposal.suggested}
    chosen: _Grades = (
        suggested
        if graded is None
        else {(one["source"], one["document_id"]): one["grade"] for one in graded}
    )
    hits = _search(caller, collection, proposal.query)
    found = {(hit.source, hit.document_id) for hit in hits}
    others = [one for one in proposal.suggested if (one.source, one.document_id) not in found]
    served = [_read(caller, collection, one) for one in others]
    return [
        *(_make_hit(hit, suggested, chosen) for hit in hits),
        *(_make_other(one, suggested, chosen) for one in served if one is not None),
    ]


def read_grades(posted: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the grades of a posted form. A document that is not judged has no grade.

    Raises:
        RequestValidationError: a field of a grade is malformed.
    """
    return [
        _read_grade(name, value)
        for name, value in posted.items()
        if name.startswith(GRADE_FIELD) and value
    ]


def _read_grade(name: str, value: str) -> dict[str, Any]:
    try:
        grade, source, document_id = json.loads(value)
    except (ValueError, TypeError, RecursionError):
        fault = {"type": "form", "loc": ("body", name), "msg": "must be a field of this page"}
        raise RequestValidationError([fault]) from None
    return {"grade": grade, "source": source, "document_id": document_id}


def _search(caller: Caller, collection: str, query: str) -> tuple[Hit, ...]:
    search = SearchRequest(
        collection, query, SHOWN_HITS, max_per_document=1, highlight=True, min_confidence=0
    )
    try:
        return caller.service.searcher.search(caller.authorize_search(search)).hits
    except IndexNotReadyError:
        return ()


def _read(caller: Caller, collection: str, one: JudgedDocument) -> ServedDocument | None:
    """Read a suggested document, or return None if the live generation does not contain it."""
    try:
        return read_document(
            caller.database,
            caller.service.searcher.live_generation(collection, caller.tenant),
            collection,
            one.document_id,
            caller.restrict_principals(()),
            one.source,
        )
    except (IndexNotReadyError, UnknownDocumentError):
        return None


def _make_hit(hit: Hit, suggested: _Grades, chosen: _Grades) -> ReviewedDocument:
    key = (hit.source, hit.document_id)
    text = render_text(
        hit.text or "",
        hit.media_type,
        headings=hit.heading_path,
        title=hit.title,
        highlights=hit.highlights or (),
        is_clamped=True,
    )
    return ReviewedDocument(
        hit.document_id, hit.source, hit.title, text, hit.rank, suggested.get(key), chosen.get(key)
    )


def _make_other(document: ServedDocument, suggested: _Grades, chosen: _Grades) -> ReviewedDocument:
    """Make the view of a suggested document that is no hit, with its first chunk."""
    key = (document.source, document.document_id)
    first = document.chunks[0]
    text = render_text(
        first.text,
        document.media_type,
        headings=first.heading_path,
        title=document.title,
        is_clamped=True,
    )
    return ReviewedDocument(
        document.document_id, document.source, document.title, text, None,
        suggested[key], chosen.get(key),
    )  # fmt: skip
