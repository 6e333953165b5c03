"""Traces and counts requests: the span, the trace id and the metrics of each request."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragline.telemetry import INSTRUMENTATION_SCOPE, current_trace_id
from retrieval_api.observation.metrics import ServiceMetrics

# The label of a request without a route. The path of the request comes from the caller, so it must
# not be a label.
UNMATCHED = "unmatched"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observation:
    """Middleware that gives each request a span and a trace id, and counts its response.

    A request with a valid `traceparent` (W3C Trace Context) continues the caller's trace. The
    trace id is in `request.state.trace_id`, in the log and in the record of a search, even if no
    span is exported.
    """

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        status = 500

        async def send_and_record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with _start_span(scope, method) as span:
            Request(scope).state.trace_id = current_trace_id()
            try:
                await self._app(scope, receive, send_and_record_status)
            finally:
                endpoint = name_endpoint(scope)
                span.update_name(f"{method} {endpoint}")
                span.set_attribute("http.route", endpoint)
                span.set_attribute("http.response.status_code", status)
                if status >= 500:
                    span.set_status(Status(StatusCode.ERROR))
                seconds = perf_counter() - started
                self._metrics.observe_request(endpoint, method, status, seconds)


def name_endpoint(scope: Scope) -> str:
    """Return the declared path of the request's route, or UNMATCHED."""
    return str(getattr(scope.get("route"), "path", None) or UNMATCHED)


@contextmanager
def _start_span(scope: Scope, method: str) -> Iterator[trace.Span]:
    headers = Headers(scope=scope)
    parent = propagate.extract({name.lower(): value for name, value in headers.items()})
    span = trace.get_tracer(INSTRUMENTATION_SCOPE).start_span(
        method, parent, SpanKind.SERVER, {"http.request.method": method}
    )
    token = otel_context.attach(_make_context(span, parent))
    try:
        yield span
    finally:
        otel_context.detach(token)
        span.end()


def _make_context(span: trace.Span, parent: Context) -> Context:
    """Return the context of a span.

    Without an SDK and without a trace of the caller, the context has a random trace id.
    """
    if not span.get_span_context().is_valid:
        random_context = trace.SpanContext(
            int.from_bytes(secrets.token_bytes(16)) or 1,
            int.from_bytes(secrets.token_bytes(8)) or 1,
            is_remote=False,
        )
        span = trace.NonRecordingSpan(random_context)
    return trace.set_span_in_context(span, parent)
