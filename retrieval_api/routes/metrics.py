"""GET /metrics, for Prometheus."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from retrieval_api.access.callers import is_local, require_scope
from retrieval_api.service import OpenService

# Prometheus's default timeout is ten seconds.
MAX_WAIT_S = 3.0

router = APIRouter(tags=["health"])


# This function is asynchronous, so that it answers while all threads run searches.
@router.head("/metrics", include_in_schema=False)
@router.get("/metrics", summary="Get metrics for Prometheus", response_class=PlainTextResponse)
async def show_metrics(request: Request, service: OpenService) -> PlainTextResponse:
    """Return the metrics of this process and of the pipeline, in Prometheus's text format.

    A caller on another machine needs a key with the scope `admin`, because metrics contain the
    names of collections.
    """
    if not is_local(request):
        await require_scope("admin")(request, service)
    # The other metrics must not wait for a database that does not answer.
    refreshing = asyncio.ensure_future(asyncio.to_thread(service.metrics.pipeline.refresh))
    await asyncio.wait({refreshing}, timeout=MAX_WAIT_S)
    text = generate_latest(service.metrics.registry)
    return PlainTextResponse(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)
