"""Authenticates visitors of the page by the rules of the API. The key is in a cookie.

Only the page's routes read the cookie, so that another site cannot use the cookie to call the API.
Forms from other sites are refused (CSRF).
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


def require_scope(scope: Scope) -> Callable[..., Caller]:
    """Make a dependency that returns the visitor, and that requires the scope `scope`.

    The key comes from the cookie. Without a cookie, it comes from the headers that the API reads.
    """

    def identify(request: Request, service: OpenService) -> Caller:
        cookie = request.cookies.get(COOKIE)
        request.state.token = cookie
        return identify_caller(request, service, cookie or read_token(request), scope)

    return identify


def set_key_cookie(request: Request, response: Response, key: str) -> None:
    """Store a key in a cookie that scripts cannot read and other sites cannot send."""
    response.set_cookie(
        COOKIE,
        key,
        path=_path(request),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def delete_key_cookie(request: Request, response: Response) -> None:
    """Delete the key from the browser."""
    response.delete_cookie(COOKIE, path=_path(request), httponly=True, samesite="strict")


def is_local_path(path: str) -> bool:
    """Whether a URL is a path on this host, without a scheme or a host.

    Browsers read a backslash as a slash, and ignore tabs and line ends. So URLs with such
    characters are refused.
    """
    is_plain = path.isprintable() and "\\" not in path
    return is_plain and path.startswith("/") and not path.startswith("//")


def require_same_origin(request: Request) -> None:
    """Accept only requests of forms and scripts of this page.

    Browsers send Sec-Fetch-Site, older browsers send Origin. A client that sends neither is not a
    browser and can use the API.

    Raises:
        ForbiddenError: the request comes from another site or has neither header.
    """
    site = request.headers.get("sec-fetch-site")
    if site is None:
        is_same_origin = urlsplit(request.headers.get("origin", "")).netloc == request.headers.get(
            "host"
        )
    else:
        is_same_origin = site in ("same-origin", "none")
    if not is_same_origin:
        raise ForbiddenError("forms of this page must be sent from this page")


def _path(request: Request) -> str:
    return request.scope.get("root_path", "") or "/"


SameOriginOnly = Depends(require_same_origin)
PageReader = Annotated[Caller, Depends(require_scope("search"))]
PageFeedbackCaller = Annotated[Caller, Depends(require_scope("feedback"))]
PageAdmin = Annotated[Caller, Depends(require_scope("admin"))]
PageApprover = Annotated[Caller, Depends(require_scope("approve"))]
PageJudge = Annotated[Caller, Depends(require_scope("judge"))]
