"""The commands of the runbooks are run as they stand there, over a small home that is served."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import httpx2
import pytest
from ragline_home import Home

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
CONFIGURATION = """\
collections:
  - name: handbook
sources:
  - {name: handbook-files, collection: handbook, kind: files, uri: ./handbook}
"""
SERVICE = "localhost:8000"


def list_commands(page: Path) -> list[str]:
    """The commands of a page's blocks, a line each."""
    text = re.sub(r"^ +", "", page.read_text("utf-8"), flags=re.MULTILINE)
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [
        line.strip()
        for block in blocks
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip()
    ]


COMMANDS = sorted({line for page in RUNBOOKS.glob("*.md") for line in list_commands(page)})


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, model_cache: Path
) -> Iterator[tuple[Home, str]]:
    """A synced home on an embedded Postgres of its own, and the address of its service."""
    folder = tmp_path_factory.mktemp("runbooks")
    (folder / "ragline.yaml").write_text(CONFIGURATION, "utf-8")
    (folder / "handbook").mkdir()
    for number in range(3):
        (folder / "handbook" / f"{number}.md").write_text(
            f"# Rule {number}\n\nBe quiet.\n", "utf-8"
        )
    (folder / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (folder / ".ragline" / "models").symlink_to(model_cache)
    home = Home(folder, None)
    home.environment.pop("RAGLINE_DATABASE_URL", None)
    process = home.start("serve", "--port", "0")
    try:
        assert process.stderr is not None
        address = re.search(r"127\.0\.0\.1:\d+", process.stderr.readline())
        assert address is not None
        # Nobody reads its log, and a full pipe would stop it.
        Thread(target=process.stderr.read, daemon=True).start()
        home.run("sync")
        wait_until_ready(address[0])
        yield home, address[0]
    finally:
        process.terminate()
        process.wait(60)


def wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + 120
    while httpx2.get(f"http://{address}/readyz", timeout=30).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("line", COMMANDS)
def test_command_of_a_runbook_works(served: tuple[Home, str], line: str) -> None:
    home, address = served
    words = shlex.split(line.replace(SERVICE, address))
    if words[0] == "ragline":
        words = [sys.executable, "-m", *words]
    if words[0] == "curl":
        words[1:1] = ["--fail"]
    done = subprocess.run(
        words,
        cwd=home.folder,
        env=home.environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() or words[2:4] == ["ragline", "quarantine"]
