"""The programs of `ragline dev` survive a full disk: a small file system that the test fills."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_disks import fill_disk, mount_disk

from dagster_project import processes
from dagster_project.disk_watch import DiskWatch
from dagster_project.processes import MAX_ENDS, STOP_SIGNALS, ProcessGroup, Program

# Prints a long line repeatedly; or ends because it cannot write a file.
CHATTY = "import time\nwhile True: print('a line ' * 500, flush=True); time.sleep(0.02)"
NEEDY = """
import sys, time
try:
    open(sys.argv[1], "wb", buffering=0).write(b"0" * 65536)
except OSError:
    sys.exit("no room")
time.sleep(600)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB."""
    with mount_disk(tmp_path / "disk", 64) as folder:
        yield folder


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The signal handlers of this process, which `ProcessGroup` replaces when it stops."""
    kept = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def watch_until(group: ProcessGroup, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        group.watch(0.1)


def test_programs_survive_a_full_disk(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "MAX_RESTART_DELAY_S", 0.2)
    shown: list[str] = []
    needed = disk / "needed"
    ends = lambda: sum("needy ended" in line for line in shown)  # noqa: E731
    with ProcessGroup(dict(os.environ), disk / "logs", shown.append) as group:
        group.start(Program("chatty", [sys.executable, "-c", CHATTY]))
        log = disk / "logs" / "chatty.log"
        watch_until(group, log.exists)
        ballast = fill_disk(disk)
        group.start(Program("needy", [sys.executable, "-c", NEEDY, str(needed)]))
        # More often than a program may end for another reason.
        watch_until(group, lambda: ends() > MAX_ENDS + 1)
        full = [line for line in shown if "is full" in line]
        assert len(full) == 1
        assert f"mounted at {disk}" in full[0]
        size = log.stat().st_size
        ballast.unlink()
        watch_until(group, lambda: any("has free space again" in line for line in shown))
        watch_until(group, lambda: log.stat().st_size > size)
        watch_until(group, lambda: needed.exists() and needed.stat().st_size > 0)
        before = ends()
        group.watch(1)
        assert ends() == before
        assert sum("is full" in line for line in shown) == 1


def test_poll_that_cannot_write_to_a_full_disk_does_not_end_dev(disk: Path) -> None:
    shown: list[str] = []
    calls = iter(range(3))

    def poll() -> None:
        if next(calls) == 2:
            raise KeyboardInterrupt
        (disk / "file").write_bytes(b"0" * 65_536)

    with ProcessGroup(dict(os.environ), disk / "logs", shown.append) as group:
        fill_disk(disk)
        with pytest.raises(KeyboardInterrupt):
            group.watch_until_stopped(poll)
    assert sum("is full" in line for line in shown) == 1


def test_disk_without_room_for_a_log_of_postgres_is_full(disk: Path) -> None:
    shown: list[str] = []
    watch = DiskWatch(disk, shown.append)
    assert not watch.check()
    (disk / "ballast").write_bytes(b"0" * 50 * 1024**2)
    assert watch.check_by_writing()
    assert watch.explains_end()
    assert len(shown) == 1
