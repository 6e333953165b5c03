"""The routes of the page. A route reads the request, calls an operation and fills a template."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from starlette.responses import JSONResponse, RedirectResponse, Response

from ragline.access.keys import find_key
from ragline.quality.figures import Period, read_figures
from ragline.quality.history import (
    UnansweredQuery,
    read_daily_stats,
    read_evaluations,
    read_live_changes,
    read_unanswered,
)
from ragline.search.inspection import explain_receipt, read_hit_context
from ragline.search.messages import SearchAnswer
from ragline.search.sample_questions import read_sample_questions
from retrieval_api.access.callers import Caller
from retrieval_api.messages.feedback import FeedbackBody
from retrieval_api.operations.collections import read_current_status
from retrieval_api.operations.feedback import store_feedback
from retrieval_api.page import (
    card_pages,
    comparison_pages,
    document_pages,
    explanation_pages,
    gate_pages,
    plots,
    review_pages,
    session,
    views,
)
from retrieval_api.page.answers import ConfidenceField, answer_form, find_confidence_field
from retrieval_api.page.code_samples import write_samples
from retrieval_api.page.collection_states import (
    StatusCache,
    build_overviews,
    first_collection,
    list_alarms,
    list_names,
    list_sources,
)
from retrieval_api.page.error_pages import PageRoute, ask_for_key
from retrieval_api.page.facet_groups import FacetCache, group_facets, label_facet
from retrieval_api.page.forms import (
    PERIODS_DAYS,
    SearchForm,
    read_period_days,
    read_posted_fields,
)
from retrieval_api.page.rendering import ASSETS_PATH, render
from retrieval_api.page.session import PageFeedbackCaller, PageReader, SameOriginOnly
from retrieval_api.service import OpenService

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Posted = Annotated[dict[str, str], Depends(read_posted_fields)]


@router.get("/")
def show_search(request: Request, caller: PageReader) -> Response:
    """Show the hits of a query with scores and receipts. Without a query, show the start page."""
    form = SearchForm.read(
        request.query_params, first_collection(caller), request.query_params.getlist("facet")
    )
    if not form.has_query:
        return _show_home(request, caller, form)
    answered = answer_form(form, request, caller)
    form, answer = answered.form, answered.answer
    return render(
        request,
        "search.html",
        caller,
        status=answered.status,
        headers=answered.problem.headers if answered.problem else None,
        form=form,
        collections=list_names(caller, form.collection),
        answer=answer,
        hits=views.build_hit_views(answer) if answer else [],
        confidence=ConfidenceField()
        if answered.problem
        else find_confidence_field(caller, form.collection),
        problem=answered.problem,
        **_read_sidebar(request, caller, form, answer),
    )


def _show_home(request: Request, caller: Caller, form: SearchForm) -> Response:
    """Show the start page: search form, collections with their freshness, and sample queries."""
    overviews = build_overviews(caller, read_current_status(caller))
    chosen = next((one for one in overviews if one.name == form.collection), None)
    return render(
        request,
        "home.html",
        caller,
        form=form,
        collections=list_names(caller, form.collection),
        confidence=find_confidence_field(caller, form.collection),
        overviews=overviews,
        chosen=chosen,
        samples={one.name: _read_samples(caller, one.name) for one in overviews if one.generation},
    )


def _read_samples(caller: Caller, collection: str) -> list[str]:
    golden = caller.collection(collection).golden
    return read_sample_questions(
        caller.database, collection, golden, caller.restrict_principals(())
    )


def _read_sidebar(
    request: Request, caller: Caller, form: SearchForm, answer: SearchAnswer | None
) -> dict[str, Any]:
    """Return the additions to an answer: alarms, facets and code samples.

    Without an answer, they are empty.
    """
    if answer is None:
        return {"alarms": [], "groups": [], "samples": None, "label_facet": label_facet}
    memory: PageCaches = request.app.state.page_caches
    return {
        "alarms": list_alarms(memory.status.read(caller), answer.collection),
        "groups": group_facets(memory.facets.read(caller, answer.collection), form.facets),
        "samples": write_samples(
            form.to_body(), str(request.base_url), needs_key=caller.key is not None
        ),
        "label_facet": label_facet,
    }


@router.get("/receipts/{receipt_id}")
def show_receipt(receipt_id: str, request: Request, caller: PageReader) -> Response:
    """Show the document, the run and the settings that produced a hit."""
    explained = explain_receipt(caller.database, receipt_id, caller.make_viewer(()))
    return render(
        request,
        "receipt.html",
        caller,
        explained=explained,
        shown=views.show_receipt(explained),
        around=views.render_context(explained, read_hit_context(caller.database, explained)),
        metadata=views.list_values(explained.metadata),
        chunking=views.list_values(explained.chunking),
    )


@router.get("/freshness-and-quality")
def show_quality(request: Request, caller: PageReader) -> Response:
    """Show the clocks of the caller's sources, and charts of one collection.

    The charts show the searches of all callers. So they need the scope `admin`, like /v1/quality.
    """
    given = request.query_params
    name = given.get("collection", "").replace("\0", "\ufffd") or first_collection(caller)
    collection = caller.collection(name).name if name else ""
    days = read_period_days(given.get("days"))
    status = read_current_status(caller)
    may_see_plots = bool(collection) and caller.is_permitted("admin")
    return render(
        request,
        "quality.html",
        caller,
        collections=list_names(caller, collection),
        collection=collection,
        days=days,
        periods=PERIODS_DAYS,
        sources=views.build_source_views(list_sources(caller, status)),
        alarms=[
            alarm
            for one in build_overviews(caller, status)
            for alarm in one.alarms
            if alarm.source is None
        ],
        unanswered=_read_unanswered(caller, collection, days) if may_see_plots else [],
        may_see_plots=may_see_plots,
        plots=_draw_collection(caller, collection, days) if may_see_plots else [],
    )


def _read_unanswered(caller: Caller, collection: str, days: int) -> list[UnansweredQuery]:
    last = datetime.now(UTC).date()
    period = Period.of_days(last - timedelta(days=days - 1), last)
    return read_unanswered(caller.database, period, collection)


def _draw_collection(caller: Caller, collection: str, days: int) -> list[plots.Plot]:
    last = datetime.now(UTC).date()
    first = last - timedelta(days=days - 1)
    period = Period.of_days(first, last)
    figures = read_figures(caller.database, period, collection)
    return plots.build_plots(
        first,
        last,
        figures[0] if figures else None,
        read_daily_stats(caller.database, period, collection),
        read_evaluations(caller.database, period, collection),
        read_live_changes(caller.database, collection),
    )


@router.post("/feedback", dependencies=[SameOriginOnly])
def give_feedback(request: Request, posted: Posted, caller: PageFeedbackCaller) -> Response:
    """Record feedback. The page's script receives JSON. A browser without script gets a page.

    Raises:
        RequestValidationError: a field is missing or malformed.
    """
    entry_id = posted.get("entry_id", "")
    body = {
        "request_id": posted.get("request_id", ""),
        "entry_id": int(entry_id) if re.fullmatch("[0-9]{1,19}", entry_id) else entry_id,
        "kind": posted.get("kind", ""),
    }
    try:
        stored = store_feedback(FeedbackBody.model_validate(body), caller)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from None
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"kind": stored.kind})
    return render(request, "thanks.html", caller, feedback=stored, back=posted.get("back", ""))


@router.post("/sign-in", dependencies=[SameOriginOnly])
def sign_in(request: Request, posted: Posted, service: OpenService) -> Response:
    """Store a valid key in a cookie, and redirect to the requested page."""
    key = posted.get("key", "").strip()
    wanted = posted.get("wanted", "")
    wanted = wanted if session.is_local_path(wanted) else "/"
    if find_key(service.database, key) is None:
        return ask_for_key(request, is_wrong=True, wanted=wanted)
    answer = RedirectResponse(wanted, 303)
    session.set_key_cookie(request, answer, key)
    return answer


@router.post("/sign-out", dependencies=[SameOriginOnly])
async def sign_out(request: Request) -> Response:
    """Delete the cookie with the key, and redirect to the start page."""
    answer = RedirectResponse(f"{request.scope.get('root_path', '')}/", 303)
    session.delete_key_cookie(request, answer)
    return answer


def mount_page(app: FastAPI) -> None:
    """Serve the page with its style sheet, script and icon."""
    app.include_router(router)
    app.include_router(document_pages.router)
    app.include_router(comparison_pages.router)
    app.include_router(explanation_pages.router)
    app.include_router(review_pages.router)
    app.include_router(gate_pages.router)
    app.include_router(card_pages.router)
    app.state.page_caches = PageCaches(StatusCache(), FacetCache())
    app.mount(ASSETS_PATH, _Assets(directory=_assets_folder()))


@dataclass(frozen=True, slots=True)
class PageCaches:
    """Data that the page caches."""

    status: StatusCache
    facets: FacetCache


class _Assets(StaticFiles):
    """Static files. Browsers revalidate them, so that they load new files after an upgrade."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        response = super().file_response(*args, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _assets_folder() -> Path:
    with as_file(files("retrieval_api.page") / "static") as folder:
        return folder
