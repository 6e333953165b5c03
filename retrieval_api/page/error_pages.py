"""What cannot be answered, as a page: the API's own words and status, and HTML around them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from ragline.errors import RateLimitError, UnauthorizedError, UnknownHitError
from retrieval_api.page.rendering import render
from retrieval_api.page.session import COOKIE, delete_key_cookie
from retrieval_api.problem_handlers import describe_invalid_fields, explain_failure
from retrieval_api.problems import INVALID_REQUEST, ProblemKind

_REMEDIES = {
    "index-not-ready": "Run ragline sync, then look again.",
    "unknown-document": "It may have been removed, or is not for you to see.",
    "unknown-receipt": "Search again for a receipt that still stands.",
}


@dataclass(frozen=True, slots=True)
class PageProblem:
    """A problem in words: what kind, what happened this time, and what to do."""

    title: str
    detail: str
    status: int
    hint: str | None = None
    retry_after_s: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}


def find_problem(error: Exception, request: Request) -> PageProblem | None:
    """The problem that an exception is; None if nobody foresaw it.

    What people are not told of it goes to the log.
    """
    if isinstance(error, RequestValidationError):
        faults = describe_invalid_fields(error.errors())
        return _make(INVALID_REQUEST, "; ".join(f"{one.field}: {one.message}" for one in faults))
    if isinstance(error, UnknownHitError):
        return _make(INVALID_REQUEST, str(error))
    explained = explain_failure(error, request.state.request_id)
    if explained is None:
        return None
    wait_s = ceil(error.retry_after_s) if isinstance(error, RateLimitError) else None
    return _make(*explained, retry_after_s=wait_s)


def _make(kind: ProblemKind, detail: str, *, retry_after_s: int | None = None) -> PageProblem:
    return PageProblem(
        title=kind.title,
        detail=f"{detail[:1].upper()}{detail[1:].rstrip('.')}.",
        status=kind.status,
        hint=_REMEDIES.get(kind.name),
        retry_after_s=retry_after_s or kind.retry_after_s,
    )


class PageRoute(APIRoute):
    """A route whose failures are pages. Who needs a key is asked for it.

    Where GET is answered HEAD is too, which FastAPI's own routes refuse; the server sends no body.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        if self.methods and "GET" in self.methods:
            self.methods.add("HEAD")

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, which also runs the dependencies, with failures made pages."""
        handle = super().get_route_handler()

        async def handle_with_pages(request: Request) -> Response:
            try:
                return await handle(request)
            except UnauthorizedError:
                return ask_for_key(request)
            except Exception as error:
                problem = find_problem(error, request)
                if problem is None:
                    raise
                return show_problem(request, problem)

        return handle_with_pages


def ask_for_key(request: Request, *, is_wrong: bool = False, wanted: str = "") -> Response:
    """The form that asks for a key, with 401. A key that is no good any more is forgotten."""
    was_kept = COOKIE in request.cookies
    if not wanted and request.method == "GET":
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    answer = render(
        request,
        "sign_in.html",
        None,
        status=HTTPStatus.UNAUTHORIZED,
        is_wrong=is_wrong or was_kept,
        wanted=wanted or "/",
    )
    if was_kept:
        delete_key_cookie(request, answer)
    return answer


def show_problem(request: Request, problem: PageProblem) -> Response:
    """A problem as a page of its own."""
    return render(
        request,
        "problem.html",
        None,
        status=problem.status,
        headers=problem.headers,
        problem=problem,
        is_signed_in=COOKIE in request.cookies,
    )
