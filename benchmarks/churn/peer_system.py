"""The adapter of another system. Its program exchanges JSON lines with this process.

The program runs in a separate Python environment. `peers.line_protocol` is its side of the
protocol: a call is one line, and its answer is one line. One process answers all calls. Each sync
is a separate process, so that it can be killed.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.churn.processes import REPOSITORY, SyncProcess
from benchmarks.churn.system import Entry


class PeerError(Exception):
    """The program of the peer answered a call with an error, or the program ended."""


class PeerSystem:
    """A system whose program is `benchmarks.churn.peers.<name>`."""

    has_permissions = False

    def __init__(
        self, name: str, python: Path, folder: Path, database_url: str, embedder: str
    ) -> None:
        self.name = name
        self._folder = folder
        self._command = [str(python), "-m", f"benchmarks.churn.peers.{name}"]
        self._settings = {
            "CHURN_DATABASE_URL": database_url,
            "CHURN_EMBEDDER": embedder,
            "CHURN_COUNT_FILE": str(folder / "embeddings.count"),
        }
        self._lookups = subprocess.Popen(
            self._command,
            cwd=REPOSITORY,
            env=os.environ | self._settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def describe(self) -> dict[str, str]:
        return dict(self._call("describe"))

    def prepare(self, tree: Path) -> None:
        self._settings["CHURN_TREE"] = str(tree)
        self._call("prepare", tree=str(tree))

    def start_sync(self) -> SyncProcess:
        return SyncProcess([*self._command, "sync"], self._folder, self._settings)

    def entries(self) -> list[Entry]:
        return [Entry(path, text) for path, text in self._call("entries")]

    def search(self, query: str, k: int, principal: str | None = None) -> list[Entry]:
        assert principal is None, f"{self.name} has no permissions"
        return [Entry(path, text) for path, text in self._call("search", query=query, k=k)]

    def embeddings_made(self) -> int:
        counts = self._folder / "embeddings.count"
        return sum(map(int, counts.read_text().split())) if counts.exists() else 0

    def restrict(self, principals: Mapping[str, Sequence[str]]) -> None:  # noqa: ARG002
        raise PeerError(f"{self.name} has no permissions")

    def close(self) -> None:
        assert self._lookups.stdin is not None
        self._lookups.stdin.close()
        self._lookups.wait()

    def _call(self, name: str, **arguments: object) -> Any:
        assert self._lookups.stdin is not None
        assert self._lookups.stdout is not None
        self._lookups.stdin.write(json.dumps({"call": name, "arguments": arguments}) + "\n")
        self._lookups.stdin.flush()
        line = self._lookups.stdout.readline()
        if not line:
            raise PeerError(f"{self.name} ended with status {self._lookups.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(f"{self.name}: {name}: {answer['error']}")
        return answer["result"]
