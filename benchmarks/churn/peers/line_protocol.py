"""The peer's side of the protocol: JSON lines in, JSON lines out; or one sync, then the end."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """The settings from the environment. `tree` is empty before it is known."""

    database_url: str
    embedder: str
    count_file: Path
    tree: str


class Peer(Protocol):
    """A system, used as its documentation says. Paths are relative to the tree."""

    def describe(self) -> dict[str, str]:
        """Versions of its packages and its settings."""

    def prepare(self, tree: str) -> None:
        """Create its empty tables for this folder."""

    def sync(self) -> None:
        """Bring the index up to date; raises where the system does."""

    def entries(self) -> Iterable[tuple[str, str]]:
        """Path and text of everything a search can return."""

    def search(self, query: str, k: int) -> Iterable[tuple[str, str]]:
        """Path and text of the best hits, best first."""


def read_settings() -> PeerSettings:
    """The settings of this process."""
    return PeerSettings(
        os.environ["CHURN_DATABASE_URL"],
        os.environ["CHURN_EMBEDDER"],
        Path(os.environ["CHURN_COUNT_FILE"]),
        os.environ.get("CHURN_TREE", ""),
    )


def serve(peer: Peer) -> None:
    """Run one sync when the command line says `sync`, else answer calls until input ends."""
    if sys.argv[1:] == ["sync"]:
        peer.sync()
        return
    # Libraries print; standard output is for answers only.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        answers.write(json.dumps(_answer(peer, line)) + "\n")
        answers.flush()


def _answer(peer: Peer, line: str) -> dict[str, object]:
    call = json.loads(line)
    try:
        result = getattr(peer, call["call"])(**call["arguments"])
        return {"result": result if isinstance(result, dict | None) else list(result)}
    except Exception as error:  # noqa: BLE001 - sent to the driver, which names the system
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}
