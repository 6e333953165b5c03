"""A checkout of the repository that contains `ragline.yaml`, in which shell commands run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass
class Checkout:
    """A folder with a configuration, and the environment of its commands."""

    folder: Path
    environment: dict[str, str]

    def change(self, old: str, new: str) -> None:
        """Change ragline.yaml, as a commit does."""
        path = self.folder / "ragline.yaml"
        content = path.read_text("utf-8")
        assert old in content
        path.write_text(content.replace(old, new), encoding="utf-8")

    def run_shell(
        self, script: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a script as CI systems do: the first command that fails ends it."""
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def read(self, command: str) -> Any:
        """Run a command with --json and return its output."""
        done = self.run_shell(f"{command} --json")
        assert done.returncode == 0, done.stderr
        return yaml.safe_load(done.stdout)

    def list_generations(self) -> list[tuple[int, str]]:
        """The id and the state of each generation that is not dropped."""
        generations = self.read("ragline generation list")["generations"]
        return [(one["id"], one["state"]) for one in generations]


def make_environment(database_url: str, home: Path) -> dict[str, str]:
    """The variables of a shell in which `ragline` can be called."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **os.environ,
        "PATH": path,
        "RAGLINE_DATABASE_URL": database_url,
        "RAGLINE_HOME": str(home),
    }
