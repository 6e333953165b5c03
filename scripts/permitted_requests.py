"""Lists the requests that each scope permits, and the paths to which the load limit applies.

`write_reference` writes both lists to docs/. They come from the routes of the service. MCP has no
such route, so the lists add it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from ragline.access.keys import Scope
from ragline.configuration import load_configuration
from retrieval_api.access.load_limit import EXPENSIVE_PATH
from retrieval_api.agents.mcp_server import PATH as MCP_PATH
from retrieval_api.app import build_app

EXAMPLE = Path(__file__).parents[1] / "examples" / "ragline.yaml"
# A parameter in the path of a route, with or without a converter.
PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
# The scope of the tools of MCP.
MCP_SCOPE = "search"


def list_permitted() -> list[tuple[str, list[str], list[str]]]:
    """For each scope, list the requests of the API and those of the page."""
    routes = list(list_routes())
    permitted = []
    for scope in get_args(Scope):
        found = [route for route in routes if scope in find_scopes(route.dependant)]
        api = name_requests(route for route in found if route.include_in_schema)
        page = name_requests(route for route in found if not route.include_in_schema)
        mcp = [f"POST {MCP_PATH}"] if scope == MCP_SCOPE else []
        permitted.append((scope, [*api, *mcp], page))
    return permitted


def list_limited() -> list[str]:
    """List the paths to which the load limit applies, sorted."""
    paths = {MCP_PATH, *(route.path for route in list_routes())}
    return sorted(show_path(path) for path in paths if EXPENSIVE_PATH.fullmatch(path))


def list_routes() -> Iterator[APIRoute]:
    """Yield each route of the API and of the page."""
    waiting: list[Any] = list(build_app(load_configuration(EXAMPLE)).routes)
    while waiting:
        route = waiting.pop(0)
        if isinstance(route, APIRoute):
            yield route
        elif (router := getattr(route, "original_router", None)) is not None:
            waiting[:0] = router.routes


def find_scopes(dependant: Dependant) -> set[str]:
    """Return the scopes that the dependencies of a route require."""
    found = set()
    for one in dependant.dependencies:
        if one.call is not None and one.call.__qualname__.startswith("require_scope."):
            found.add(inspect.getclosurevars(one.call).nonlocals["scope"])
        found |= find_scopes(one)
    return found


def name_requests(routes: Iterable[APIRoute]) -> list[str]:
    """Name each request by its method and path. HEAD is left out, because GET has the same rule."""
    return [
        f"{method} {show_path(route.path)}"
        for route in routes
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


def show_path(path: str) -> str:
    """Return the path of a route without the converters of its parameters."""
    return PARAMETER.sub(r"{\1}", path)
