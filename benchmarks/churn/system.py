"""The interface of an adapter, through which the benchmark uses a system.

A sync must be a separate process, because the scenario kills some syncs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# The timeout of a sync. A sync that takes longer is killed and counts as an error.
SYNC_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A text that a search can return, and the path of its document below the tree."""

    path: str
    text: str


class Sync(Protocol):
    """A sync that was started."""

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end of the sync. Returns whether it ended within this time."""

    def kill(self) -> None:
        """Kill the sync at once."""

    def error(self) -> str | None:
        """Return the error of a sync that has ended, or None if it succeeded."""


class System(Protocol):
    """A system that the benchmark measures."""

    @property
    def name(self) -> str:
        """The name of the system in the report."""

    @property
    def has_permissions(self) -> bool:
        """Whether a document can be restricted to principals."""

    def describe(self) -> dict[str, str]:
        """Return the versions of the system's packages and its settings that are not defaults."""

    def prepare(self, tree: Path) -> None:
        """Make an empty index whose only source is this folder."""

    def start_sync(self) -> Sync:
        """Start to update the index from the folder."""

    def entries(self) -> Iterable[Entry]:
        """Return every entry that a search by any principal can return now."""

    def search(self, query: str, k: int, principal: str | None = None) -> Sequence[Entry]:
        """Return the best `k` hits of the system's default search, best first.

        `principal` is given only to a system that has permissions.
        """

    def embeddings_made(self) -> int:
        """Return the number of texts that all syncs so far gave to the model.

        The texts of a killed sync are included if the system counts them.
        """

    def restrict(self, principals: Mapping[str, Sequence[str]]) -> None:
        """From the next sync on, show each of these documents to its principals only."""

    def close(self) -> None:
        """Stop the processes of the system that still run."""
