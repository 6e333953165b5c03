"""Shows problems as pages: the title, the detail and the status of the API, in HTML."""

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
    "index-not-ready": "Run ragline sync, then open this page again.",
    "unknown-document": "It was removed, or your key does not permit you to see it.",
    "unknown-receipt": "Search again to get a current receipt.",
}


@dataclass(frozen=True, slots=True)
class PageProblem:
    """A problem: its kind, the error of this request, and a hint on what to do."""

    title: str
    detail: str
    status: int
    hint: str | None = None
    retry_after_s: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}


def find_problem(error: Exception, request: Request) -> PageProblem | None:
    """Return the problem for an exception, or None for an unexpected exception.

    A message that the visitor must not see is logged.
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
    """A route that shows failures as pages. Without a valid key, it shows the sign-in form.

    A route that answers GET also answers HEAD, which FastAPI's routes refuse.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        if self.methods and "GET" in self.methods:
            self.methods.add("HEAD")

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler. Failures, also those of dependencies, become pages."""
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
    """Show the sign-in form, with status 401. An invalid key in the cookie is deleted."""
    has_cookie = COOKIE in request.cookies
    if not wanted and request.method == "GET":
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    answer = render(
        request,
        "sign_in.html",
        None,
        status=HTTPStatus.UNAUTHORIZED,
        is_wrong=is_wrong or has_cookie,
        wanted=wanted or "/",
    )
    if has_cookie:
        delete_key_cookie(request, answer)
    return answer


def show_problem(request: Request, problem: PageProblem) -> Response:
    """Show a problem as a page."""
    return render(
        request,
        "problem.html",
        None,
        status=problem.status,
        headers=problem.headers,
        problem=problem,
        is_signed_in=COOKIE in request.cookies,
    )
