"""The report of the stage `publish` about one collection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IndexReport:
    """The state of a collection's target generation after publishing.

    If the target could not be opened, it is the state of the live generation. `is_live` says
    whether searches see the generation that the configuration asks for. If they do not, `reason`
    says why, and `error` is the failure, if there is one: refused settings, a failed build, or
    failed maintenance of the live generation. `was_promoted` says that this run made the generation
    live.
    """

    generation: int
    entries: int
    documents: int
    lexemes: int
    average_length: float
    has_vector_index: bool
    is_live: bool
    was_promoted: bool
    reason: str | None
    dropped_generations: list[int]
    seconds: float
    error: Exception | None = None


def describe_error(error: Exception) -> str:
    """The class and the message of an error in one line; a ConfigurationError without its class."""
    message = " ".join(str(getattr(error, "orig", None) or error).split())
    name = type(error).__name__
    return message if name == "ConfigurationError" else f"{name}: {message}"
