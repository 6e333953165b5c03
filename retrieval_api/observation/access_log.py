"""Writes the access log, one line for each request.

A line has the id, the status and the duration of a request. It does not have the text of a query.
"""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-ID"
MAX_PATH_CHARS = 200


class AccessLog:
    """Middleware that gives each request an id and logs it.

    The id is in `request.state.request_id`, in the response's header X-Request-ID and in the log. A
    search replaces the id with the id of its record. So one id names the request and the record.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        state = Request(scope).state
        state.request_id = str(uuid4())
        state.logged = {}
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = state.request_id
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                # The log is written before the app returns, because work after the response is not
                # part of the duration.
                _log_request(scope, status, 1e3 * (perf_counter() - started))

        await self._app(scope, receive, send_with_id)


def _log_request(scope: Scope, status: int, duration_ms: float) -> None:
    state = Request(scope).state
    fields: dict[str, Any] = {
        "request_id": state.request_id,
        "trace_id": getattr(state, "trace_id", None),
        "method": scope["method"],
        "path": scope["path"][:MAX_PATH_CHARS],
        "status": status,
        "duration_ms": round(duration_ms, 2),
        **state.logged,
    }
    logger.info("request", extra={"fields": fields})
