"""The embedded server: shared by processes, stopped by the last, healed after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from ragline.errors import DatabaseUnavailableError
from ragline.storage.embedded_postgres import embedded_postgres

HOLD = """
import sys, time
from pathlib import Path
from ragline.storage.embedded_postgres import embedded_postgres
with embedded_postgres(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


def hold(home: Path) -> subprocess.Popen[str]:
    """Another process that uses the server until its input ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    return holder


def let_go(holder: subprocess.Popen[str]) -> None:
    holder.communicate("", timeout=60)
    assert holder.returncode == 0


def postmaster(home: Path) -> psutil.Process | None:
    path = home / "postgres" / "postmaster.pid"
    if not path.exists():
        return None
    try:
        return psutil.Process(int(path.read_text().split()[0]))
    except psutil.NoSuchProcess:
        return None


def is_running(home: Path) -> bool:
    process = postmaster(home)
    return process is not None and process.status() != psutil.STATUS_ZOMBIE


def count(address: str) -> int:
    with psycopg.connect(address) as connection:
        row = connection.execute("select count(*) from kept").fetchone()
    assert row is not None
    return int(row[0])


def test_server_starts_keeps_its_data_and_stops_with_the_last_user(tmp_path):
    home = tmp_path / "home"
    with embedded_postgres(home) as address, psycopg.connect(address) as connection:
        connection.execute("create table kept as select 1 as n")
        connection.execute("create extension vector")
    assert not is_running(home)
    with embedded_postgres(home) as address:
        assert count(address) == 1


def test_server_outlives_the_process_that_started_it_while_another_uses_it(tmp_path):
    first = hold(tmp_path)
    second = hold(tmp_path)
    let_go(first)
    assert is_running(tmp_path)
    let_go(second)
    assert not is_running(tmp_path)


def test_killed_user_keeps_nothing_running_beyond_the_next_use(tmp_path):
    killed = hold(tmp_path)
    killed.kill()
    killed.communicate()
    assert is_running(tmp_path)
    with embedded_postgres(tmp_path):
        pass
    assert not is_running(tmp_path)


def test_killed_server_is_started_again_with_its_data(tmp_path):
    with embedded_postgres(tmp_path) as address:
        with psycopg.connect(address) as connection:
            connection.execute("create table kept as select 1 as n")
        server = postmaster(tmp_path)
        assert server is not None
        os.kill(server.pid, signal.SIGKILL)
        with embedded_postgres(tmp_path) as again:
            assert count(again) == 1
    assert not is_running(tmp_path)


def test_interrupted_initialisation_is_made_anew(tmp_path):
    unfinished = tmp_path / "postgres-unfinished-old"
    unfinished.mkdir(parents=True)
    (unfinished / "half").write_text("half", encoding="utf-8")
    with embedded_postgres(tmp_path) as address, psycopg.connect(address) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_two_processes_may_start_it_at_once(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    holders = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for holder in holders:
        assert holder.communicate("", timeout=120)[0] == "ready\n"
        assert holder.returncode == 0
    assert not is_running(tmp_path)


def test_long_path_and_closed_parents_are_no_obstacle(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    home = closed / ("long-" * 20) / ("name-" * 10)
    with embedded_postgres(home) as address, psycopg.connect(address) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert closed.stat().st_mode & 0o777 == 0o700


def test_data_of_another_version_is_refused_with_what_to_do(tmp_path):
    with embedded_postgres(tmp_path):
        pass
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n", encoding="utf-8")
    with pytest.raises(DatabaseUnavailableError, match="made by Postgres 16"):
        embedded_postgres(tmp_path).__enter__()
