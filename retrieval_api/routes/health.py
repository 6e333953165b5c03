"""GET /healthz and GET /readyz."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from retrieval_api.messages import health
from retrieval_api.openapi import describe_problems
from retrieval_api.problems import SERVICE_NOT_READY
from retrieval_api.service import OpenService, ServiceNotReadyError

router = APIRouter(tags=["health"])


# This function is asynchronous, so that it answers while all threads run searches.
@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Check whether the process runs")
async def answer_alive() -> health.Alive:
    """Answer 200 while the process runs. Restart the process if it does not answer."""
    return health.Alive()


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    summary="Check whether searches are answered",
    responses=describe_problems(SERVICE_NOT_READY),
    response_model_exclude_none=True,
)
def answer_ready(service: OpenService) -> health.Ready:
    """Answer 200 if the database answers and the models are loaded, otherwise 503 with reasons."""
    unready = service.list_unready_parts()
    if unready:
        reasons = "; ".join(f"{part}: {reason}" for part, reason in unready.items())
        raise ServiceNotReadyError(f"Not ready: {reasons}.")
    parts: dict[str, Literal["ready"]] = {"database": "ready", "model": "ready"}
    return health.Ready(parts=parts, failed_model_count=service.count_failed_models() or None)
