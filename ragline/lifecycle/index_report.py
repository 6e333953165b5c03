"""The report of the stage `publish` about one collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragline.lifecycle.release_conditions import Obstacle


@dataclass(frozen=True, slots=True)
class IndexReport:
    """The state of a collection's target generation after publishing.

    The target is the generation that the configuration requires. If it could not be opened, the
    report describes the live generation. `is_live` says whether searches use the target. If they do
    not, `reason` says why. `error` is the failure, if there is one: refused settings, a failed
    build, or failed maintenance of the live generation. `was_promoted` says whether this run made
    the target live. `notice` says what an operator must decide before searches can use the target.
    It is None if there is nothing to decide. `obstacle` is what prevents a promotion by this sync,
    such as a missing report of the gate. `seconds` is the duration of the stage.
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
    notice: str | None = None
    obstacle: Obstacle | None = None


def describe_error(error: Exception) -> str:
    """Return the class and the message of an error in one line.

    For a ConfigurationError the line contains the message without the class.
    """
    message = " ".join(str(getattr(error, "orig", None) or error).split())
    name = type(error).__name__
    return message if name == "ConfigurationError" else f"{name}: {message}"
