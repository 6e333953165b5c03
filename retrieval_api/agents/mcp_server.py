"""Serves MCP over streamable HTTP at /mcp. A POST calls a tool, and the response is JSON.

The tools are in `mcp_tools`. There are no sessions, so any process behind a proxy can answer a
request.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from fastapi.exceptions import RequestValidationError
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from retrieval_api.access.callers import identify_caller, read_token
from retrieval_api.agents.mcp_tools import TOOLS
from retrieval_api.problem_handlers import describe_invalid_fields, explain_failure
from retrieval_api.problems import INTERNAL_ERROR, INVALID_REQUEST
from retrieval_api.service import Service

logger = logging.getLogger(__name__)

PATH = "/mcp"
INSTRUCTIONS = (
    "Search collections of documents that are kept up to date with their sources. If a collection "
    "is unknown, the error of the search lists the known collections. Cite document_id and source "
    "of the passages that you use."
)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

Context = ServerRequestContext[dict[str, Any], Any]


class McpEndpoint:
    """The ASGI app at /mcp. It answers requests while the session manager `manager` runs.

    A browser sends the origin of the page that makes the request. Requests from a page of another
    host are refused, because such a page could reach a service on the user's machine by DNS
    rebinding. Other clients send no origin.
    """

    def __init__(self, service: Service) -> None:
        self.manager = StreamableHTTPSessionManager(
            _build_server(service), json_response=True, stateless=True
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = Headers(scope=scope).get("origin")
        if origin is not None and not is_loopback(origin):
            raise HTTPException(
                403, f"Pages of {origin} may not call this service; pages of this host may."
            )
        await self.manager.handle_request(scope, receive, send)

    def route(self) -> Route:
        """Return the route. It accepts only POST, because there are no sessions to read or end."""
        return Route(PATH, endpoint=self, methods=["POST"], include_in_schema=False)


def is_loopback(origin: str) -> bool:
    """Whether an origin is this machine, with any port."""
    try:
        return urlsplit(origin).hostname in _LOOPBACK
    except ValueError:
        return False


def _build_server(service: Service) -> Server[dict[str, Any]]:
    async def list_tools(_: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=_describe_tools())

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        request = context.request
        assert isinstance(request, Request)
        request.state.logged |= {"tool": params.name[:100]}
        arguments = params.arguments or {}
        return await run_in_threadpool(_call, service, params.name, arguments, request)

    return Server(
        "ragline",
        title="Ragline",
        version=version("ragline"),
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _describe_tools() -> list[Tool]:
    return [
        Tool(
            name=tool.name,
            description=tool.description,
            input_schema=tool.arguments.model_json_schema(),
            output_schema=tool.result.model_json_schema(mode="serialization"),
            annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
        )
        for tool in TOOLS.values()
    ]


def _call(
    service: Service, name: str, arguments: dict[str, Any], request: Request
) -> CallToolResult:
    tool = TOOLS.get(name)
    if tool is None:
        return _refuse(f"unknown tool {name!r}; known: {', '.join(TOOLS)}")
    try:
        caller = identify_caller(request, service, read_token(request), "search")
        result = tool.call(caller, tool.arguments.model_validate(arguments), request)
    except Exception as error:  # noqa: BLE001  the agent gets a message for every exception
        return _refuse(_describe_failure(error, request.state.request_id))
    text = TextContent(type="text", text=result.model_dump_json())
    return CallToolResult(content=[text], structured_content=result.model_dump(mode="json"))


def _refuse(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)


def _describe_failure(error: Exception, request_id: str) -> str:
    """Return the title and the detail of the problem for an error, as text."""
    if isinstance(error, ValidationError | RequestValidationError):
        faults = [
            {**fault, "loc": ("body", *_location_in_body(fault["loc"]))} for fault in error.errors()
        ]
        detail = "; ".join(f"{e.field}: {e.message}" for e in describe_invalid_fields(faults))
        return f"{INVALID_REQUEST.title}: {detail}"
    explained = explain_failure(error, request_id)
    if explained is None:
        logger.error("tool failed", exc_info=error, extra={"fields": {"request_id": request_id}})
        return f"{INTERNAL_ERROR.title}. Its log contains the reason under request_id {request_id}."
    kind, detail = explained
    return f"{kind.title}: {detail}"


def _location_in_body(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    return location[1:] if location[:1] == ("body",) else location
