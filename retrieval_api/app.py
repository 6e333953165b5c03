"""The ASGI application: the service, its middleware, its routes, the page and MCP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.middleware import Middleware

from ragline.configuration import Configuration
from retrieval_api.access.body_limit import BodyLimit
from retrieval_api.access.load_limit import LoadLimit
from retrieval_api.agents.mcp_server import McpEndpoint
from retrieval_api.observation.access_log import AccessLog
from retrieval_api.observation.tracing import Observation
from retrieval_api.openapi import DESCRIPTION, TITLE, describe_app
from retrieval_api.page.routes import mount_page
from retrieval_api.problem_handlers import FailureBoundary, add_problem_handlers
from retrieval_api.records.audit import Audit
from retrieval_api.route_dependencies.pushed_bodies import find_push_limit
from retrieval_api.routes import (
    collections,
    documents,
    embeddings,
    feedback,
    generations,
    golden_proposals,
    health,
    index_cards,
    inspection,
    metrics,
    quality,
    reranking,
    searches,
    vector_stores,
)
from retrieval_api.routes.documentation import mount_documentation
from retrieval_api.service import Service


class RetrievalApp(FastAPI):
    """FastAPI, with the service's own OpenAPI document."""

    def openapi(self) -> dict[str, Any]:
        """Return the document at /openapi.json, which /docs shows."""
        return describe_app(self)


def build_app(configuration: Configuration) -> FastAPI:
    """Build the ASGI app for one configuration. It opens no connection before it is started.

    After the start, the app answers /healthz at once. It answers searches when /readyz returns 200.
    """
    service = Service(configuration)
    app = RetrievalApp(
        title=TITLE,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_run_lifespan,
        middleware=[
            Middleware(AccessLog),
            Middleware(Observation, metrics=service.metrics),
            Middleware(BodyLimit, find_larger_limit=find_push_limit(configuration)),
            Middleware(LoadLimit),
            Middleware(Audit, log=service.audit_log),
            Middleware(FailureBoundary),
        ],
    )
    app.state.service = service
    add_problem_handlers(app)
    for routes in (
        searches,
        reranking,
        feedback,
        golden_proposals,
        index_cards,
        quality,
        collections,
        generations,
        inspection,
        documents,
        vector_stores,
        embeddings,
        health,
        metrics,
    ):
        app.include_router(routes.router)
    app.state.mcp = McpEndpoint(service)
    app.router.routes.append(app.state.mcp.route())
    mount_documentation(app)
    mount_page(app)
    return app


@asynccontextmanager
async def _run_lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    mcp: McpEndpoint = app.state.mcp
    service.open()
    try:
        async with mcp.manager.run():
            yield
    finally:
        await run_in_threadpool(service.close)
