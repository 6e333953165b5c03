"""The page that explains why a document is a hit or not.

The visitor selects the document by its id, or by a part of its id or title.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from ragline.search.document_explanation import explain_document
from ragline.search.document_records import RecordedDocument, find_documents, list_records
from ragline.search.explanation_messages import DocumentExplanation, Exclusion, StageRank
from retrieval_api.access.callers import Caller
from retrieval_api.page.chunk_text import RenderedText, render_text
from retrieval_api.page.collection_states import first_collection
from retrieval_api.page.document_states import BADGES
from retrieval_api.page.error_pages import PageRoute
from retrieval_api.page.forms import SearchForm, read_text_fields
from retrieval_api.page.rendering import render
from retrieval_api.page.session import PageReader

MAX_OFFERED_DOCUMENTS = 20
_STAGES = {
    "vector": "vector leg",
    "keyword": "keyword leg",
    "first_fusion": "fusion before feedback",
    "fusion": "fusion",
    "reranking": "reranking",
    "answer": "answer",
}
_LIMITS = {
    "principals": "The search has none of the document's principals.",
    "filter": "The filter excludes it.",
    "max_age": "It was not confirmed at its source recently enough.",
    "min_generation": "The search requires a newer generation.",
}

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class StageView:
    """A stage in words. `is_passed` is None if the stage has no last rank."""

    name: str
    stage: StageRank
    is_passed: bool | None


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """An explanation: stages and limits in words, and the rendered best chunk."""

    found: DocumentExplanation
    badge: str
    stages: list[StageView]
    limits: list[str]
    chunk: RenderedText | None


@dataclass(frozen=True, slots=True)
class _Chosen:
    document_id: str
    source: str | None
    media_type: str | None


@router.get("/explain")
def show_explanation(request: Request, caller: PageReader) -> Response:
    """Explain the document with the id `document_id`, or the document that matches `expected`.

    If `expected` matches several documents, the page lists them for selection.
    """
    given = read_text_fields(request)
    form = SearchForm.read(given, first_collection(caller), request.query_params.getlist("facet"))
    expected = given.get("document_id") or given.get("expected", "").strip()
    search, form = form.check()
    explanation, offered = None, list[RecordedDocument]()
    if search is not None and expected:
        collection = caller.collection(form.collection).name
        source = given.get("source") or None
        is_exact = bool(given.get("document_id"))
        chosen, offered = _choose(caller, collection, expected, source, is_exact=is_exact)
        if chosen is not None:
            found = explain_document(
                caller.service.searcher,
                caller.authorize_search(search.to_request()),
                chosen.document_id,
                chosen.source,
                reveals_hidden=caller.is_permitted("admin"),
            )
            explanation = _show(found, chosen.media_type)
    return render(
        request,
        "explain.html",
        caller,
        status=422 if form.faults else 200,
        form=form,
        expected=expected,
        explanation=explanation,
        offered=offered,
    )


def _choose(
    caller: Caller, collection: str, expected: str, source: str | None, *, is_exact: bool
) -> tuple[_Chosen | None, list[RecordedDocument]]:
    """Return the document that matches `expected`. If several match, return all of them instead."""
    principals = caller.restrict_principals(())
    exact = find_documents(caller.database, collection, expected, principals, source)
    if len(exact) == 1 or (is_exact and not exact):
        if not exact:
            return _Chosen(expected, source, None), []
        return _Chosen(expected, exact[0].source, exact[0].media_type), []
    found = list_records(
        caller.database, collection, principals, part=expected, limit=MAX_OFFERED_DOCUMENTS + 1
    )
    if len(found) == 1:
        return _Chosen(found[0].document_id, found[0].source, found[0].media_type), []
    return None, found


def _show(found: DocumentExplanation, media_type: str | None) -> ExplanationView:
    chunk = found.best_chunk
    return ExplanationView(
        found=found,
        badge=BADGES.get(found.document.state, ""),
        stages=[StageView(_STAGES[one.stage], one, _is_passed(one)) for one in found.stages],
        limits=[_describe_limit(one) for one in found.obstacles],
        chunk=None
        if chunk is None
        else render_text(chunk.text, media_type, headings=chunk.heading_path, title=found.title),
    )


def _is_passed(stage: StageRank) -> bool | None:
    if stage.rank is None:
        return False
    return None if stage.last_rank is None else stage.rank <= stage.last_rank


def _describe_limit(obstacle: Exclusion) -> str:
    sentence = _LIMITS[obstacle.limit]
    if obstacle.limit != "filter" or obstacle.condition is None:
        return sentence
    condition = json.dumps(obstacle.condition, ensure_ascii=False, default=str)
    return f"{sentence} None of its chunks satisfies {condition}."
