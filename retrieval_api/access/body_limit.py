"""Limits the size of a request's body, so that no caller can fill the service's memory."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrieval_api.problems import BODY_TOO_LARGE, answer_problem

MAX_BODY_BYTES = 1 << 20

# If a client still sends its body when the response arrives, it can see a broken connection and no
# response. So the rest of the body is read and discarded, up to this size.
_MAX_DISCARDED_BYTES = 16 << 20


class BodyLimit:
    """Middleware that answers 413 to a body over the limit, with or without a declared length.

    `find_larger_limit` returns the limit in bytes for a request whose body may be larger than
    `max_bytes`. For any other request, it returns None. FastAPI also has a limit, but its response
    is plain text and not a problem document.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int = MAX_BODY_BYTES,
        find_larger_limit: Callable[[Scope], int | None] = lambda _scope: None,
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._find_larger_limit = find_larger_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = max(self._max_bytes, self._find_larger_limit(scope) or 0)
        if not _is_declared_too_large(scope, limit):
            try:
                await self._app(scope, _limit(receive, limit), send)
            except _BodyTooLargeError:
                # The app was still reading the body, so the response has not started.
                await _refuse(scope, receive, send, limit)
            return
        await _discard_rest(receive)
        await _refuse(scope, receive, send, limit)


class _BodyTooLargeError(HTTPException):
    """The body is over the limit.

    While FastAPI reads a body, it replaces every exception except an HTTPException by a response
    with status 400. Therefore this class is an HTTPException.
    """


async def _refuse(scope: Scope, receive: Receive, send: Send, limit: int) -> None:
    await answer_problem(scope, BODY_TOO_LARGE, _describe(limit))(scope, receive, send)


def _describe(limit: int) -> str:
    return f"The maximum size of a body is {limit:,} bytes."


def _is_declared_too_large(scope: Scope, limit: int) -> bool:
    declared = Headers(scope=scope).get("content-length", "")
    return declared.isdecimal() and int(declared) > limit


def _limit(receive: Receive, limit: int) -> Receive:
    received_bytes = 0

    async def receive_within_limit() -> Message:
        nonlocal received_bytes
        message = await receive()
        received_bytes += len(message.get("body", b""))
        if received_bytes > limit:
            if message.get("more_body"):
                await _discard_rest(receive)
            raise _BodyTooLargeError(BODY_TOO_LARGE.status, _describe(limit))
        return message

    return receive_within_limit


async def _discard_rest(receive: Receive) -> None:
    discarded_bytes = 0
    while discarded_bytes < _MAX_DISCARDED_BYTES:
        message = await receive()
        discarded_bytes += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return
