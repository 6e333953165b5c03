"""Kills of processes at random times, for tests of what a killed command leaves.

`test_kills` kills syncs, and `test_build_kills` kills builds of a generation.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg
from command_process import CommandProcess
from ragline_home import Home

# The figures of each kill: pytest -rP --log-level=INFO.
LOG = logging.getLogger(__name__)
# A command that ended before the kill does not count. The number of commands that are tried.
ATTEMPTS = 8


@dataclass(frozen=True)
class Ending:
    """How a command ended, and its output."""

    status: int
    out: str
    said: str

    @property
    def report(self) -> dict[str, Any]:
        report = json.loads(self.out)
        assert isinstance(report, dict)
        return report


@dataclass(frozen=True)
class KillTimes:
    """Random times of one test, the same for the same seed."""

    random: random.Random
    length_s: float

    def __iter__(self) -> Iterator[float]:
        for _ in range(ATTEMPTS):
            yield self.random.uniform(0, self.length_s)


def draw_times(seed: str, length_s: float) -> KillTimes:
    return KillTimes(random.Random(seed), length_s)  # noqa: S311  nothing is secret here


def wait_for_end(process: CommandProcess) -> Ending:
    out, err = process.communicate(timeout=600)
    return Ending(process.returncode, out, out + err)


def wait_until(is_met: Callable[[], object], process: CommandProcess) -> None:
    while not is_met():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def kill_one(chance: random.Random, processes: list[psutil.Process]) -> bool:
    """Kill one of the processes; return whether there was one."""
    if not processes:
        return False
    victim = chance.choice(sorted(processes, key=lambda process: process.pid))
    try:
        LOG.info("killing %s", read_command(victim)[:60])
        victim.kill()
    except psutil.NoSuchProcess:
        return False
    return True


def list_servers(home: Home, victim: str) -> list[psutil.Process]:
    """The postmaster of a home, or the backends that serve a client."""
    try:
        words = (home.folder / ".ragline/postgres/postmaster.pid").read_text().split()
        postmaster = psutil.Process(int(words[0]))
    except (FileNotFoundError, IndexError, psutil.NoSuchProcess):
        return []
    if victim == "postmaster":
        return [postmaster]
    return [
        one for one in postmaster.children() if "postgres: ragline ragline" in read_command(one)
    ]


def read_command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def server_url(home: Home) -> str:
    return home.environment["RAGLINE_DATABASE_URL"]


def embedded_url(home: Home) -> str | None:
    """The address of a home's embedded server while it runs."""
    folder = home.folder / ".ragline"
    try:
        lines = (folder / "postgres/postmaster.pid").read_text().splitlines()
        return f"postgresql://ragline@/ragline?host={lines[4]}&port={lines[3]}"
    except (FileNotFoundError, IndexError):
        return None


def query(database_url: str, statement: str) -> list[Any]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement.encode()).fetchall()


def count_embeddings(database_url: str, condition: str) -> int:
    (row,) = query(database_url, f"select count(*) from ragline.embeddings where {condition}")
    return int(row[0])


def has_rows(database_url: str | None, table: str) -> bool:
    """Whether a table has rows; a server that does not answer yet has none."""
    try:
        return database_url is not None and bool(
            query(database_url, f"select 1 from {table} limit 1")
        )
    except psycopg.OperationalError:
        return False
