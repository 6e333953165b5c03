"""Spans around the stages of a search, by OpenTelemetry's API alone.

Without an SDK they go nowhere and cost some tens of microseconds. The SDK is set up by the service,
and only where OpenTelemetry's own environment variables ask for it: see
`retrieval_api.observation.telemetry`. No span holds a query's text.
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
Given = ParamSpec("Given")
Made = TypeVar("Made")

# What the spans of the search that is under way have in common.
_shared: ContextVar[dict[str, Attribute] | None] = ContextVar("ragline_span", default=None)


@contextmanager
def span(name: str, **attributes: Attribute) -> Iterator[None]:
    """A span within the current one, with those attributes and its parents' below `ragline.`.

    An error ends it with the error's class, and never its message, which may repeat a query.
    """
    shared = {**(_shared.get() or {}), **attributes}
    token = _shared.set(shared)
    try:
        # Asked for each time: the provider may be set after this module was loaded.
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
    """Add what is known by now to the current span and to those that it will hold."""
    shared = _shared.get()
    if shared is not None:
        shared.update(attributes)
    trace.get_current_span().set_attributes(_named(attributes))


def traced(name: str) -> Callable[[Callable[Given, Made]], Callable[Given, Made]]:
    """Make each call of a function a span: one stage of a search."""

    def decorate(stage: Callable[Given, Made]) -> Callable[Given, Made]:
        @wraps(stage)
        def call(*args: Given.args, **kwargs: Given.kwargs) -> Made:
            with span(name):
                return stage(*args, **kwargs)

        return call

    return decorate


def current_trace_id() -> str | None:
    """The trace that this thread works for, as 32 hexadecimal digits."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def _named(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    return {f"ragline.{name}": value for name, value in attributes.items()}
