"""Spans of the stages of a search, by the API of OpenTelemetry.

Without an SDK, spans are not exported and cost some tens of microseconds. The service sets up the
SDK if the environment variables of OpenTelemetry ask for it: see
`retrieval_api.observation.telemetry`. No span contains the text of a query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode

INSTRUMENTATION_SCOPE = "ragline"

Attribute = str | int | float | bool
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# The attributes that all spans of the current search have.
_shared: ContextVar[dict[str, Attribute] | None] = ContextVar("ragline_span", default=None)


@contextmanager
def span(name: str, **attributes: Attribute) -> Iterator[None]:
    """A span within the current span, with these attributes and those of its parents.

    Attribute names get the prefix `ragline.`. An error sets the status to the class of the error,
    without its message, which may contain a query.
    """
    shared = {**(_shared.get() or {}), **attributes}
    token = _shared.set(shared)
    try:
        # Looked up each time: the provider may be set after this module was imported.
        with trace.get_tracer(INSTRUMENTATION_SCOPE).start_as_current_span(
            name,
            attributes=_named(shared),
            record_exception=False,
            set_status_on_exception=False,
        ) as current:
            try:
                yield
            except Exception as error:
                current.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise
    finally:
        _shared.reset(token)


def set_span_attributes(**attributes: Attribute) -> None:
    """Set attributes of the current span and of the spans that are started within it."""
    shared = _shared.get()
    if shared is not None:
        shared.update(attributes)
    trace.get_current_span().set_attributes(_named(attributes))


def traced(name: str) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Record each call of a function as a span, which is one stage of a search."""

    def decorate(stage: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @wraps(stage)
        def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with span(name):
                return stage(*args, **kwargs)

        return call

    return decorate


def current_trace_id() -> str | None:
    """The trace id of the current span, as 32 hexadecimal digits; None without a span."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def _named(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    return {f"ragline.{name}": value for name, value in attributes.items()}
