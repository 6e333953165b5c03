"""GET /v1/quality."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from ragline.quality.daily import read_latest
from ragline.quality.figures import Period, read_figures
from retrieval_api.access.callers import AdminCaller
from retrieval_api.messages import quality
from retrieval_api.openapi import describe_problems
from retrieval_api.problems import DATABASE_UNAVAILABLE, INVALID_REQUEST, UNKNOWN_COLLECTION

router = APIRouter(tags=["quality"])


@router.get(
    "/v1/quality",
    summary="Get figures about searches",
    responses=describe_problems(UNKNOWN_COLLECTION, INVALID_REQUEST, DATABASE_UNAVAILABLE),
)
def show_quality(
    parameters: Annotated[quality.QualityParameters, Query()], caller: AdminCaller
) -> quality.Quality:
    """Return figures from the records of searches, such as latency, zero results and clicks.

    Drift, unanswered topics and index recall are computed once a day. The answer contains the last
    values.
    """
    first, last = parameters.days
    figures = read_figures(caller.database, Period.of_days(first, last), parameters.collection)
    daily = read_latest(caller.database, last, parameters.collection)
    if parameters.collection is not None and not figures and not daily:
        caller.collection(parameters.collection)
    allowed = {settings.name for settings in caller.list_collections()}
    collections = [
        quality.CollectionQuality.model_validate(row)
        for row in figures
        if caller.key is None or row.collection in allowed
    ]
    for row in collections:
        if row.collection in daily:
            row.daily = quality.DailyFigures.model_validate(daily[row.collection])
    return quality.Quality(first_day=first, last_day=last, collections=collections)
