"""A new user's path, docs/first-search.md: each of its commands is run, through `ragline dev`."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "first-search.md"
CONFIGURATION = """\
sources:
  - {name: handbook-files, collection: handbook, kind: files, uri: ./examples/handbook}
"""
# Each is a dozen processes that start: minutes on a busy machine.
pytestmark = pytest.mark.timeout(1_200)
RULE = "A removal is held when a listing lacks more than a fifth of what its source had.\n"


def read_blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def home(tmp_path: Path, model_cache: Path) -> Path:
    """A folder as the page expects it, with less in it."""
    (tmp_path / "examples" / "handbook").mkdir(parents=True)
    (tmp_path / "examples" / "handbook" / "removals.md").write_text(RULE, "utf-8")
    (tmp_path / "ragline.yaml").write_text(CONFIGURATION, "utf-8")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', "utf-8")
    python.chmod(0o755)
    (tmp_path / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (tmp_path / ".ragline" / "models").symlink_to(model_cache)
    return tmp_path


@pytest.fixture
def port(home: Path, database_url: str) -> Iterator[int]:
    """The port of the API of a `ragline dev` that runs, with its first sync done."""
    environment = {
        **os.environ,
        "RAGLINE_DATABASE_URL": database_url,
        "PYTHONPATH": str(REPOSITORY),
    }
    ragline = [sys.executable, "-m", "ragline"]
    subprocess.run([*ragline, "sync", "--json"], cwd=home, env=environment, check=True)
    port = find_port()
    with (home / "log").open("w") as log:
        dev = subprocess.Popen(
            [*ragline, "dev", "--ui-port", str(find_port()), "--api-port", str(port)],
            cwd=home,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            assert dev.stdout is not None
            dev.stdout.readline()
            yield port
        finally:
            family = [psutil.Process(dev.pid), *psutil.Process(dev.pid).children(recursive=True)]
            dev.send_signal(signal.SIGINT)
            dev.communicate(timeout=180)
        assert dev.returncode == 0
        assert psutil.wait_procs(family, timeout=60)[1] == []


@pytest.mark.slow
def test_each_command_of_the_page_does_what_it_says(home: Path, port: int) -> None:
    start, *blocks = read_blocks()
    assert start == "make dev\n"
    said = [run(block, home, port) for block in blocks]
    ready, answer = said[0].splitlines()[:2] if "\n" in said[0] else said[0].split("}{", 1)
    assert '"ready"' in ready
    assert "a fifth" in answer
    assert "blue door" in said[1]
    freshness = json.loads(said[1].splitlines()[-1])
    assert freshness["collection"] == "handbook"
    assert said[2].startswith("key.md The spare key")
    assert said[3].startswith("The spare key of the lighthouse")
    assert not (home / "examples" / "handbook" / "key.md").exists()


def run(block: str, home: Path, port: int) -> str:
    """What a block's commands say, asked of the port that is there."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.replace("localhost:8000", f"127.0.0.1:{port}")],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return done.stdout
