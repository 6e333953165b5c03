"""The page's addresses. Each body reads what was asked, calls one reader, and fills a template."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse, RedirectResponse, Response

from ragline.access.keys import find_key
from ragline.errors import InvalidSearchError, RaglineError
from ragline.quality.figures import Period, read_figures
from ragline.quality.history import read_days, read_evaluations
from ragline.search.inspection import explain_receipt
from ragline.search.messages import SearchAnswer
from ragline.status import SourceStatus, read_status
from retrieval_api.access.callers import Caller
from retrieval_api.messages.feedback import FeedbackBody
from retrieval_api.page import document_pages, entrance, plots, views
from retrieval_api.page.collection_choice import first_collection, list_names
from retrieval_api.page.entrance import FromHere, Judging, Looking
from retrieval_api.page.failures import PageProblem, PageRoute, ask_for_key, find_problem
from retrieval_api.page.forms import (
    PERIODS_DAYS,
    SearchForm,
    read_period_days,
    read_posted_fields,
)
from retrieval_api.page.rendering import ASSETS_PATH, render
from retrieval_api.problems import FieldError
from retrieval_api.routes.feedback import give_feedback
from retrieval_api.routes.searches import answer_question
from retrieval_api.service import OpenService

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Posted = Annotated[dict[str, str], Depends(read_posted_fields)]


@router.get("/")
def show_search(request: Request, caller: Looking) -> Response:
    """The search box and, once something is asked, the hits with all that is behind them."""
    form = SearchForm.read(request.query_params, first_collection(caller))
    answer, form, problem = _search(form, request, caller) if form.is_asked else (None, form, None)
    status = problem.status if problem else 422 if form.faults else 200
    return render(
        request,
        "search.html",
        caller,
        status=status,
        headers=problem.headers if problem else None,
        form=form,
        collections=list_names(caller, form.collection),
        answer=answer,
        hits=views.show_hits(answer) if answer else [],
        problem=problem,
    )


def _search(
    form: SearchForm, request: Request, caller: Caller
) -> tuple[SearchAnswer | None, SearchForm, PageProblem | None]:
    """The answer; or the form with its faults; or what else went wrong."""
    question, form = form.check()
    if question is None:
        return None, form, None
    try:
        return answer_question(question.to_request(), request, caller), form, None
    except InvalidSearchError as error:
        fault = FieldError(field=error.place, message=error.reason)
        return None, form.with_faults([fault]), None
    except (RaglineError, SQLAlchemyError) as error:
        problem = find_problem(error, request)
        if problem is None:
            raise
        return None, form, problem


@router.get("/receipts/{receipt_id}")
def show_receipt(receipt_id: str, request: Request, caller: Looking) -> Response:
    """What lies behind a hit: the document, the run and the settings that made it."""
    explained = explain_receipt(caller.database, receipt_id, caller.view(()))
    return render(
        request,
        "receipt.html",
        caller,
        explained=explained,
        shown=views.show_receipt(explained),
        metadata=views.list_values(explained.metadata),
        chunking=views.list_values(explained.chunking),
    )


@router.get("/freshness-and-quality")
def show_quality(request: Request, caller: Looking) -> Response:
    """The clocks of each source that the caller may know of, and plots of one collection.

    Plots are made of everybody's searches, so they need the scope that /v1/quality needs.
    """
    given = request.query_params
    name = given.get("collection", "").replace("\0", "\ufffd") or first_collection(caller)
    collection = caller.collection(name).name if name else ""
    days = read_period_days(given.get("days"))
    may_see_plots = bool(collection) and caller.is_permitted("admin")
    return render(
        request,
        "quality.html",
        caller,
        collections=list_names(caller, collection),
        collection=collection,
        days=days,
        periods=PERIODS_DAYS,
        sources=views.show_sources(_read_sources(caller)),
        may_see_plots=may_see_plots,
        plots=_draw_collection(caller, collection, days) if may_see_plots else [],
    )


def _read_sources(caller: Caller) -> list[SourceStatus]:
    """Sources of the caller's collections; without a key also those that are configured no more."""
    status = read_status(caller.database)
    if caller.key is None:
        return status.sources
    names = {settings.name for settings in caller.list_collections()}
    return [source for source in status.sources if source.collection in names]


def _draw_collection(caller: Caller, collection: str, days: int) -> list[plots.Plot]:
    last = datetime.now(UTC).date()
    first = last - timedelta(days=days - 1)
    period = Period.of_days(first, last)
    figures = read_figures(caller.database, period, collection)
    return plots.draw_plots(
        first,
        last,
        figures[0] if figures else None,
        read_days(caller.database, period, collection),
        read_evaluations(caller.database, period, collection),
    )


@router.post("/feedback", dependencies=[FromHere])
def keep_feedback(request: Request, posted: Posted, caller: Judging) -> Response:
    """Keep a verdict or a click. The script gets JSON, a browser without it a page to go back from.

    Raises:
        RequestValidationError: a field is missing or is none that the page sends.
    """
    entry_id = posted.get("entry_id", "")
    body = {
        "request_id": posted.get("request_id", ""),
        "entry_id": int(entry_id) if re.fullmatch("[0-9]{1,19}", entry_id) else entry_id,
        "kind": posted.get("kind", ""),
    }
    try:
        kept = give_feedback(FeedbackBody.model_validate(body), caller)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from None
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"kind": kept.kind})
    return render(request, "thanks.html", caller, kept=kept, back=posted.get("back", ""))


@router.post("/sign-in", dependencies=[FromHere])
def sign_in(request: Request, posted: Posted, service: OpenService) -> Response:
    """Keep a key that may be used, and go where it was asked for."""
    key = posted.get("key", "").strip()
    wanted = posted.get("wanted", "")
    wanted = wanted if entrance.is_own_path(wanted) else "/"
    if find_key(service.database, key) is None:
        return ask_for_key(request, is_wrong=True, wanted=wanted)
    answer = RedirectResponse(wanted, 303)
    entrance.keep_key(request, answer, key)
    return answer


@router.post("/sign-out", dependencies=[FromHere])
async def sign_out(request: Request) -> Response:
    """Forget the key, and ask for one."""
    answer = RedirectResponse(f"{request.scope.get('root_path', '')}/", 303)
    entrance.forget_key(request, answer)
    return answer


def mount_page(app: FastAPI) -> None:
    """Serve the page with its style, script and icon."""
    app.include_router(router)
    app.include_router(document_pages.router)
    app.mount(ASSETS_PATH, _Assets(directory=_assets_folder()))


class _Assets(StaticFiles):
    """Files that browsers ask for again: after an upgrade none shows the old ones."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        response = super().file_response(*args, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _assets_folder() -> Path:
    with as_file(files("retrieval_api.page") / "static") as folder:
        return folder
