"""The pages of generations and of gate reports."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import RedirectResponse, Response

from ragline.gate.stored_reports import read_report
from ragline.lifecycle.generation_notices import read_notices
from retrieval_api.messages.fields import MAX_ROW_ID
from retrieval_api.page import gate_views
from retrieval_api.page.collection_states import first_collection, list_names
from retrieval_api.page.error_pages import PageRoute
from retrieval_api.page.forms import read_posted_fields, read_text_fields
from retrieval_api.page.gate_facts import list_facts, list_origin
from retrieval_api.page.generation_actions import DONE, decide, list_actions
from retrieval_api.page.generation_views import (
    STATE_BADGES,
    STATE_MEANINGS,
    build_generation_views,
)
from retrieval_api.page.rendering import render
from retrieval_api.page.session import PageApprover, SameOriginOnly

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Posted = Annotated[dict[str, str], Depends(read_posted_fields)]
ReportId = Annotated[int, Path(ge=1, le=MAX_ROW_ID)]


@router.get("/generations")
def show_generations(request: Request, caller: PageApprover) -> Response:
    """Show the generations of a collection: states, sizes, trails and gate reports."""
    given = read_text_fields(request)
    name = given.get("collection") or first_collection(caller)
    collection = caller.collection(name).name if name else ""
    settings = caller.service.configuration
    return render(
        request,
        "generations.html",
        caller,
        collections=list_names(caller, collection),
        collection=collection,
        generations=build_generation_views(caller, collection) if collection else [],
        notice=read_notices(caller.database, settings).get(collection),
        states=STATE_BADGES,
        meanings=STATE_MEANINGS,
        verdicts=gate_views.VERDICTS,
        list_actions=list_actions,
        done=DONE.get(given.get("done", ""), ""),
    )


@router.post("/generations", dependencies=[SameOriginOnly])
def decide_generation(request: Request, posted: Posted, caller: PageApprover) -> Response:
    """Execute a decision about a generation, and show the generations again."""
    done = decide(caller, posted)
    address = urlencode({"collection": posted["collection"], "done": done})
    return RedirectResponse(f"{request.scope.get('root_path', '')}/generations?{address}", 303)


@router.get("/gate-reports/{report_id}")
def show_report(report_id: ReportId, request: Request, caller: PageApprover) -> Response:
    """Show a gate report: first the verdict, then the checks and figures that led to it."""
    stored = read_report(caller.database, report_id)
    caller.collection(stored.collection)
    report = stored.report
    return render(
        request,
        "gate_report.html",
        caller,
        record=stored,
        report=report,
        verdict=gate_views.VERDICTS[report.verdict],
        subject=gate_views.describe_subject(report),
        badges_of=gate_views.BADGES,
        name_check=gate_views.name_check,
        measures=gate_views.build_comparisons("measure", report.measures),
        slices=gate_views.build_comparisons("slice", report.slices),
        facts=list_facts(report),
        fallen=gate_views.build_fallen(caller, report),
        origin=list_origin(stored),
    )
