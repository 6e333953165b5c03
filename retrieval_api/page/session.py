"""Who looks at the page: the API's rule, with the key in a cookie; and no forms from other sites.

The cookie is read by the page's routes alone, so no other site can use it against the API.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.responses import Response

from ragline.access.keys import Scope
from ragline.errors import ForbiddenError
from retrieval_api.access.callers import Caller, identify_caller, read_token
from retrieval_api.service import OpenService

COOKIE = "ragline_key"
LONGEST_KEY_CHARS = 200


def require_scope(scope: Scope) -> Callable[..., Caller]:
    """A dependency: who looks at the page and is permitted `scope`.

    The key comes from the cookie, else from the headers that the API reads.
    """

    def identify(request: Request, service: OpenService) -> Caller:
        cookie = request.cookies.get(COOKIE)
        request.state.token = cookie
        return identify_caller(request, service, cookie or read_token(request), scope)

    return identify


def set_key_cookie(request: Request, response: Response, key: str) -> None:
    """Put a key where no script can read it and no other site can send it from."""
    response.set_cookie(
        COOKIE,
        key,
        path=_path(request),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def delete_key_cookie(request: Request, response: Response) -> None:
    """Take the key out of the browser."""
    response.delete_cookie(COOKIE, path=_path(request), httponly=True, samesite="strict")


def is_local_path(path: str) -> bool:
    """Whether a path stays on this host: no scheme, no host, and nothing read as one.

    Browsers take a backslash for a slash and leave out tabs and line ends.
    """
    is_plain = path.isprintable() and "\\" not in path
    return is_plain and path.startswith("/") and not path.startswith("//")


def require_same_origin(request: Request) -> None:
    """Let pass only what a form or a script of this page sent.

    Browsers say so in Sec-Fetch-Site, older ones in Origin. What says neither is no browser, and
    programs have the API.

    Raises:
        ForbiddenError: it comes from another site, or does not say from where.
    """
    site = request.headers.get("sec-fetch-site")
    if site is None:
        is_same_origin = urlsplit(request.headers.get("origin", "")).netloc == request.headers.get(
            "host"
        )
    else:
        is_same_origin = site in ("same-origin", "none")
    if not is_same_origin:
        raise ForbiddenError("forms of this page are taken from this page alone")


def _path(request: Request) -> str:
    return request.scope.get("root_path", "") or "/"


SameOriginOnly = Depends(require_same_origin)
PageReader = Annotated[Caller, Depends(require_scope("search"))]
PageFeedbackCaller = Annotated[Caller, Depends(require_scope("feedback"))]
