"""A limit on the bytes of a request, so that nobody can fill the service's memory."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrieval_api.problems import BODY_TOO_LARGE, answer_problem

LARGEST_BODY_BYTES = 1 << 20

# A client that is still sending when the answer comes may see a broken connection instead of
# the answer, so this much more is read and thrown away.
_DRAINED_BYTES = 16 << 20


class BodyLimit:
    """Middleware that answers 413 to a body over the limit, whether its length is declared or not.

    FastAPI has a limit of its own; its answer is plain text and not a problem.
    """

    def __init__(self, app: ASGIApp, largest_bytes: int = LARGEST_BODY_BYTES) -> None:
        self._app = app
        self._largest_bytes = largest_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._is_declared_too_large(scope):
            await self._app(scope, self._limit(receive), send)
            return
        await _drain(receive)
        response = answer_problem(scope, BODY_TOO_LARGE, self._detail)
        await response(scope, receive, send)

    @property
    def _detail(self) -> str:
        return f"A body may have {self._largest_bytes:,} bytes."

    def _is_declared_too_large(self, scope: Scope) -> bool:
        declared = Headers(scope=scope).get("content-length", "")
        return declared.isdecimal() and int(declared) > self._largest_bytes

    def _limit(self, receive: Receive) -> Receive:
        received_bytes = 0

        async def receive_within_limit() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self._largest_bytes:
                if message.get("more_body"):
                    await _drain(receive)
                # Of this class, because FastAPI lets it pass while it reads a body.
                raise HTTPException(BODY_TOO_LARGE.status, self._detail)
            return message

        return receive_within_limit


async def _drain(receive: Receive) -> None:
    drained_bytes = 0
    while drained_bytes < _DRAINED_BYTES:
        message = await receive()
        drained_bytes += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return
