"""The adapter of Ragline. It uses only Ragline's commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.churn.processes import REPOSITORY, SyncProcess
from benchmarks.churn.system import Entry

COLLECTION = "churn"


class RaglineSync(SyncProcess):
    """A run of `ragline sync`. At its end, the run reports the number of its embeddings."""

    def error(self) -> str | None:
        failed = super().error()
        told = "; ".join(source["error"] or "" for source in self._sources())
        return failed and f"{failed}{told}"

    def embeddings_made(self) -> int:
        """Return the number of embeddings that the sync reported.

        It is 0 if the sync was killed or did not start, because such a sync reports nothing.
        """
        return sum(source["embeddings_made"] for source in self._sources())

    def _sources(self) -> list[dict[str, Any]]:
        try:
            return list(json.loads(self.output())["sources"].values())
        except ValueError:
            return []


class RaglineSystem:
    """Ragline with a separate database. Each call runs a command in a new process."""

    name = "ragline"

    def __init__(self, folder: Path, database_url: str) -> None:
        self._folder = folder
        self._settings = {
            "RAGLINE_DATABASE_URL": database_url,
            "RAGLINE_HOME": str(folder / "home"),
        }
        self._syncs: list[RaglineSync] = []
        self._made = 0
        self._tree = Path()

    @property
    def has_permissions(self) -> bool:
        return "--principal" in self._run("search", "--help")

    def describe(self) -> dict[str, str]:
        version = self._run("--version").split()[-1]
        commit = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            check=False,
            text=True,
        )
        return {"ragline": version, "commit": commit.stdout.strip()}

    def prepare(self, tree: Path) -> None:
        (self._folder / "home").mkdir()
        self._tree = tree
        self._write_configuration({})

    def start_sync(self) -> RaglineSync:
        command = self._command("sync", "--json", *self._configured())
        self._collect_counts()
        self._syncs.append(RaglineSync(command, self._folder, self._settings))
        return self._syncs[-1]

    def entries(self) -> Iterator[Entry]:
        exported = self._folder / "entries.jsonl"
        options = ["--no-vectors", "--json", *self._configured()]
        self._run("export", COLLECTION, "--out", str(exported), *options)
        with exported.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                yield Entry(row["document_id"], row["text"])

    def search(self, query: str, k: int, principal: str | None = None) -> list[Entry]:
        options = ["--top-k", str(k), "--json", *self._configured()]
        if principal is not None:
            options += ["--principal", principal]
        answer = json.loads(self._run("search", *options, "--", COLLECTION, query))
        return [Entry(hit["document_id"], hit["text"]) for hit in answer["hits"]]

    def embeddings_made(self) -> int:
        self._collect_counts()
        return self._made

    def restrict(self, principals: Mapping[str, Sequence[str]]) -> None:
        self._write_configuration(principals)

    def close(self) -> None:
        """Do nothing, because no process runs between calls."""

    def _collect_counts(self) -> None:
        """Read the report of the last sync before the next one overwrites it."""
        while self._syncs:
            self._made += self._syncs.pop().embeddings_made()

    def _write_configuration(self, principals: Mapping[str, Sequence[str]]) -> None:
        source: dict[str, object] = {
            "name": "churn-files",
            "collection": COLLECTION,
            "kind": "files",
            "uri": str(self._tree),
        }
        if principals:
            source["rules"] = [
                {"match": path, "principals": list(names)} for path, names in principals.items()
            ]
        # JSON is valid YAML, and it escapes the special characters in a path.
        text = json.dumps({"sources": [source]})
        (self._folder / "ragline.yaml").write_text(text, encoding="utf-8")

    def _configured(self) -> list[str]:
        return ["--config", str(self._folder / "ragline.yaml")]

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "ragline", *arguments]

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            self._command(*arguments),
            cwd=REPOSITORY,
            env=os.environ | self._settings,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        return done.stdout
