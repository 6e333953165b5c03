"""The peer's side of the protocol. A process either runs one sync or answers calls.

Each call is one line of JSON, and so is each answer.
"""

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
    """The settings of a peer, which come from environment variables.

    `tree` is the path of the tree. It is empty if the process started before the tree was known.
    """

    database_url: str
    embedder: str
    count_file: Path
    tree: str


class Peer(Protocol):
    """A system that is used as its documentation recommends. Paths are relative to the tree."""

    def describe(self) -> dict[str, str]:
        """Return the versions of the system's packages and its settings."""

    def prepare(self, tree: str) -> None:
        """Create the system's empty tables. `tree` is the absolute path of the tree."""

    def sync(self) -> None:
        """Bring the index up to date. The errors of the system are raised unchanged."""

    def entries(self) -> Iterable[tuple[str, str]]:
        """Return path and text of every entry that a search can return."""

    def search(self, query: str, k: int) -> Iterable[tuple[str, str]]:
        """Return path and text of the best hits, best first."""


def read_settings() -> PeerSettings:
    """Read the settings of this process from its environment."""
    return PeerSettings(
        os.environ["CHURN_DATABASE_URL"],
        os.environ["CHURN_EMBEDDER"],
        Path(os.environ["CHURN_COUNT_FILE"]),
        os.environ.get("CHURN_TREE", ""),
    )


def serve(peer: Peer) -> None:
    """Run one sync if the command line says `sync`. Otherwise answer calls until the input ends."""
    if sys.argv[1:] == ["sync"]:
        peer.sync()
        return
    # Libraries print text. It goes to standard error, so that standard output has only answers.
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
