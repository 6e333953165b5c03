"""Renders templates as responses. The headers of the responses block content of other hosts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from ragline.counts import count
from retrieval_api.access.callers import Caller
from retrieval_api.page import formatting
from retrieval_api.page.document_states import BADGES
from retrieval_api.page.run_links import find_run_link

ASSETS_PATH = "/page"

HEADERS = {
    # Allows only the page's own files. Inline scripts, inline styles and content of other hosts are
    # blocked.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    # URLs contain queries, so they are not sent to other hosts. With no-referrer, the Origin of a
    # form would be null.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def render(
    request: Request,
    template: str,
    caller: Caller | None,
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """Render a template as a response. `caller` is None before the visitor has signed in."""
    root = request.scope.get("root_path", "")
    text = (
        load_environment()
        .get_template(template)
        .render(
            root=root,
            assets=f"{root}{ASSETS_PATH}",
            caller=caller,
            badges=BADGES,
            tab=template.removesuffix(".html"),
            **values,
        )
    )
    return HTMLResponse(text, status, headers={**HEADERS, **(headers or {})})


@cache
def load_environment() -> Environment:
    """Load the templates. Values are always escaped, and an undefined name is an error."""
    environment = Environment(
        loader=PackageLoader("retrieval_api.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "age": formatting.format_age,
        "commands": formatting.format_commands,
        "count": count,
        "document_name": formatting.format_document_name,
        "format_name": formatting.format_media_type,
        "timestamp": formatting.format_timestamp,
        "run_link": find_run_link,
        "score": formatting.format_score,
        "sentence": formatting.format_sentence,
    }
    return environment
