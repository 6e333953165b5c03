"""Records the stages of a search as spans, with the API of OpenTelemetry.

The service sets up the SDK of OpenTelemetry if the environment variables of OpenTelemetry name a
destination; see `retrieval_api.observation.telemetry`. Without the SDK, spans are not exported, and
a span costs some tens of microseconds. No span contains the text of a query.
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
    """Record a `with` block as a span within the current span.

    The span has the given attributes and the attributes of its parents. Attribute names get the
    prefix `ragline.`. If the block raises an error, the status of the span is the class of the
    error. The message is left out, because it can contain a query.
    """
    shared = {**(_shared.get() or {}), **attributes}
    token = _shared.set(shared)
    try:
        # The tracer is looked up each time, because the provider can be set after this module was
        # imported.
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
    """A decorator that records each call of a function as a span with the given name."""

    def decorate(stage: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @wraps(stage)
        def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with span(name):
                return stage(*args, **kwargs)

        return call

    return decorate


def current_trace_id() -> str | None:
    """The trace id of the current span, as 32 hexadecimal digits, or None if there is no span."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def _named(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    return {f"ragline.{name}": value for name, value in attributes.items()}
