"""The interface of a system that is measured: a small adapter outside of it.

A sync must be a separate process, because the scenario kills some of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# Longer than every sync; a sync that takes longer hangs.
SYNC_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A text that a search can return, and the path of its document below the tree."""

    path: str
    text: str


class Sync(Protocol):
    """A sync that has begun."""

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended within this time."""

    def kill(self) -> None:
        """Kill it at once."""

    def error(self) -> str | None:
        """Why it failed, after it has ended; None when it did not."""


class System(Protocol):
    """A system under measurement."""

    @property
    def name(self) -> str:
        """What the report calls it."""

    @property
    def has_permissions(self) -> bool:
        """Whether a document can be restricted to principals."""

    def describe(self) -> dict[str, str]:
        """Versions of its packages, and settings that are not defaults."""

    def prepare(self, tree: Path) -> None:
        """Make an empty index whose only source is this folder."""

    def start_sync(self) -> Sync:
        """Start to update the index from the folder."""

    def entries(self) -> Iterable[Entry]:
        """Everything that a search can return now, for all principals."""

    def search(self, query: str, k: int, principal: str | None = None) -> Sequence[Entry]:
        """The best hits of the system's default search, best first.

        `principal` is given only to a system that has permissions.
        """

    def embeddings_made(self) -> int:
        """Texts that were given to the model by syncs so far, those of killed ones if known."""

    def restrict(self, principals: Mapping[str, Sequence[str]]) -> None:
        """From the next sync on, show each of these documents to its principals only."""

    def close(self) -> None:
        """Stop whatever still runs."""
