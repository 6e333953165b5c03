"""What every route may ask for."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from retrieval_api.service import Service


# Asynchronous although it waits for nothing: FastAPI would send a plain function to a thread.
async def _get_service(request: Request) -> Service:
    return cast("Service", request.app.state.service)


OpenService = Annotated[Service, Depends(_get_service)]
