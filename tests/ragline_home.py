"""A folder with a configuration in which tests run `ragline` as a user or a script does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from command_process import CommandProcess, start_command


class Home:
    """The folder, and the database of its commands; None is the embedded database in the folder."""

    def __init__(self, folder: Path, database_url: str | None) -> None:
        self.folder = folder
        self.environment = dict(os.environ)
        if database_url is not None:
            self.environment["RAGLINE_DATABASE_URL"] = database_url

    def start(self, *arguments: str) -> CommandProcess:
        return start_command(arguments, self.folder, self.environment)

    def run(self, *arguments: str, status: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=900)
        assert process.returncode == status, err or out
        self.errors = err
        return out

    @contextmanager
    def serve(self) -> Iterator[httpx2.Client]:
        """Run the service on a free port, and yield a client when it is ready."""
        process = self.start("serve", "--port", "0")
        try:
            assert process.stderr is not None
            address = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
            assert address is not None
            with httpx2.Client(base_url=address[0], timeout=60) as client:
                deadline = time.monotonic() + 180
                while client.get("/readyz").status_code != 200:
                    assert time.monotonic() < deadline
                    time.sleep(0.2)
                yield client
        finally:
            process.terminate()
            process.communicate(timeout=60)

    def run_python(self, code: str) -> None:
        """Run a line of Python that the documentation shows."""
        subprocess.run(
            [sys.executable, "-c", code], cwd=self.folder, env=self.environment, check=True
        )

    def read(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", status=status))

    def export(self, collection: str = "notes") -> list[dict[str, Any]]:
        """Every entry of the live index, with its vector."""
        self.run("export", collection, "--out", "export.jsonl")
        lines = (self.folder / "export.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]


def count_made(report: dict[str, Any]) -> int:
    """The number of embeddings that a sync made, from its report."""
    return sum(source["embeddings_made"] for source in report["sources"].values())
