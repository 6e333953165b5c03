"""GET /metrics, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from retrieval_api.access.callers import is_local, may
from retrieval_api.service import OpenService

router = APIRouter(tags=["health"])


# Asynchronous, so that it answers while every thread is busy with searches.
@router.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
async def show_metrics(request: Request, service: OpenService) -> PlainTextResponse:
    """The metrics of this process in Prometheus's text format.

    For this machine, and from elsewhere with a key of the scope `admin`: they name collections.
    """
    if not is_local(request):
        await may("admin")(request, service)
    text = generate_latest(service.metrics.registry)
    return PlainTextResponse(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)
