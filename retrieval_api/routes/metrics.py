"""GET /metrics, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from retrieval_api.routes.dependencies import OpenService

router = APIRouter(tags=["health"])


# Asynchronous, so that it answers while every thread is busy with searches.
@router.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
async def show_metrics(service: OpenService) -> PlainTextResponse:
    """The metrics of this process in Prometheus's text format."""
    text = generate_latest(service.metrics.registry)
    return PlainTextResponse(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)
