"""Child processes that are started again when they end, and stopped together: `ragline dev`'s."""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self

from dagster_project.child_logs import ChildLog, is_error
from dagster_project.disk_watch import DiskWatch
from ragline.errors import ProcessError
from ragline.storage.disk_errors import FULL

HOST = "127.0.0.1"
GRACE_S = 10.0
# A child that ends so often within so long is not started again.
MOST_ENDS = 5
ENDS_WITHIN_S = 60.0
FIRST_WAIT_S = 0.5
# How long it waits at most while a full disk is why it ends; such ends do not count.
LONGEST_WAIT_S = 15.0
# So many lines of errors of a child are shown within ENDS_WITHIN_S; all are in its log.
MOST_ERRORS = 5
START_TIMEOUT_S = 120.0
PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """Somebody asked the process to stop. No error: nothing that handles errors may catch it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A child to be started: its name in the output, its command, and how it shows that it is up.

    That is a port that it answers on, and, where a `path` is given, that it says 200 there.
    """

    name: str
    command: Sequence[str]
    port: int | None = None
    path: str | None = None

    def is_up(self, timeout: float = 5) -> bool:
        """Whether the program answers; one without a port cannot be asked."""
        if self.port is None:
            return True
        if self.path is None:
            return is_port_taken(self.port)
        try:
            with urllib.request.urlopen(
                f"http://{HOST}:{self.port}{self.path}", timeout=timeout
            ) as answer:
                return bool(answer.status == HTTPStatus.OK)
        except OSError:
            return False


@dataclass
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    log: ChildLog
    ended_at: deque[float] = field(default_factory=deque)
    # How often in a row it ended for want of room.
    excused: int = 0
    # When it is started again, and since when it has not answered after that.
    restart_at: float | None = None
    errors_at: deque[float] = field(default_factory=deque)
    away_since: float | None = None


@dataclass
class Family:
    """Children that are started again when they end, and all stopped when the block ends.

    Each child leads a process group of its own, so its own children go with it; a child of a
    parent that was killed with -9 is told by the kernel. What a child writes goes to a file in
    `logs`; `show` gets one line for each end, each restart and each error, with everything else
    where `is_verbose`. `may_start` says whether there is any use in starting a child again now.
    A full disk under `logs` ends nothing here: a child that it ends is started again and again.

    There are no threads here: what runs between fork and exec must not find a lock held.
    """

    environment: Mapping[str, str]
    logs: Path
    show: Callable[[str], None]
    is_verbose: bool = False
    may_start: Callable[[], bool] = lambda: True
    _disk: DiskWatch = field(init=False)
    _children: list[_Child] = field(default_factory=list)
    _outputs: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def __post_init__(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        self._disk = DiskWatch(self.logs, self.show)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self, program: Program) -> None:
        """Start a child; what it writes goes to a file under its name."""
        log = ChildLog(self.logs / f"{program.name}.log")
        self._children.append(_Child(program, self._spawn(program), log))
        self._listen(self._children[-1])

    def wait_for(self, program: Program) -> None:
        """Wait until a child that was started answers.

        Raises:
            ProcessError: a child does not stay up, or this one did not answer in time.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while not program.is_up():
            self.watch(0.1)
            if time.monotonic() > deadline:
                raise ProcessError(
                    f"{program.name} does not answer on port {program.port} after "
                    f"{START_TIMEOUT_S:.0f} s; its log is {self.logs / program.name}.log"
                )

    def watch(self, seconds: float) -> None:
        """Pass on the children's output for some time, and start again what has ended.

        Raises:
            ProcessError: a child ended MOST_ENDS times within ENDS_WITHIN_S.
        """
        self._pass_on(seconds)
        self._disk.look()
        now = time.monotonic()
        for child in self._children:
            if child.restart_at is None and child.process.poll() is not None:
                self._note_end(child, now)
            elif child.restart_at is not None and now >= child.restart_at and self.may_start():
                self._restart(child)
            elif child.away_since is not None and child.program.is_up(timeout=0.5):
                self.show(
                    f"{child.program.name} answers again after {now - child.away_since:.0f} s"
                )
                child.away_since = None

    def watch_until_stopped(self, look: Callable[[], None] = lambda: None) -> NoReturn:
        """Watch without end, and call `look` about twice a second; a signal or an error ends it.

        A write for which there is no room is no such error: the next turn tries again.
        """
        while True:
            try:
                self.watch(0.5)
                look()
            except OSError as error:
                if error.errno not in FULL:
                    raise
                self._disk.look_closely()

    def stop(self) -> None:
        """Ask every child to stop, and kill with its group what is left after GRACE_S."""
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for child in self._children:
            _signal_group(child.process, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and any(
            child.process.poll() is None for child in self._children
        ):
            self._pass_on(0.1)
        for child in self._children:
            _signal_group(child.process, signal.SIGKILL)
            child.process.wait()
            child.log.close()
            if child.process.stdout is not None:
                child.process.stdout.close()
        self._children.clear()
        self._outputs.close()

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(self.environment),
            start_new_session=True,
            preexec_fn=_prepare_child(os.getpid()),  # noqa: PLW1509 - there are no threads
        )

    def _listen(self, child: _Child) -> None:
        if child.process.stdout is not None:
            os.set_blocking(child.process.stdout.fileno(), False)
            self._outputs.register(child.process.stdout, selectors.EVENT_READ, child)

    def _note_end(self, child: _Child, now: float) -> None:
        """Say that a child ended, and when it is started again."""
        # What it started itself would keep its port.
        _signal_group(child.process, signal.SIGKILL)
        self._pass_on(0.1)
        name, how = child.program.name, _describe_end(child.process.returncode)
        if self._disk.explains_end():
            wait_s = min(FIRST_WAIT_S * 2**child.excused, LONGEST_WAIT_S)
            child.excused += 1
        else:
            wait_s = self._count_end(child, now)
        child.restart_at = now + wait_s
        child.away_since = child.away_since or now
        self.show(f"{name} {how}; it is started again in {wait_s:.1f} s (log: {child.log.path})")

    def _count_end(self, child: _Child, now: float) -> float:
        """How long to wait before a child that ended is started again."""
        child.excused = 0
        child.ended_at.append(now)
        while now - child.ended_at[0] > ENDS_WITHIN_S:
            child.ended_at.popleft()
        if len(child.ended_at) >= MOST_ENDS:
            said = "\n".join(child.log.last_lines)
            raise ProcessError(
                f"{child.program.name} does not stay up: it "
                f"{_describe_end(child.process.returncode)}, {MOST_ENDS} times within "
                f"{ENDS_WITHIN_S:.0f} s; its log is {child.log.path} and ends with\n{said}"
            )
        return FIRST_WAIT_S * 2.0 ** (len(child.ended_at) - 1)

    def _restart(self, child: _Child) -> None:
        if child.process.stdout is not None and not child.process.stdout.closed:
            with suppress(KeyError):  # at its end it was unregistered
                self._outputs.unregister(child.process.stdout)
            child.process.stdout.close()
        child.process = self._spawn(child.program)
        child.restart_at = None
        self._listen(child)

    def _pass_on(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            for key, _ in self._outputs.select(max(deadline - time.monotonic(), 0)):
                content = os.read(key.fd, 65_536)
                self._write(key.data, content)
                if not content:
                    self._outputs.unregister(key.fileobj)
            if time.monotonic() >= deadline:
                return

    def _write(self, child: _Child, content: bytes) -> None:
        before = child.log.fault
        lines = child.log.write(content)
        if before is None and child.log.fault is not None and not self._disk.look_closely():
            self.show(f"lines of {child.log.path} are lost: {child.log.fault}")
        for line in lines:
            if self.is_verbose or (is_error(line) and self._may_show_error(child)):
                self.show(f"{child.program.name:<6}| {line}")

    def _may_show_error(self, child: _Child) -> bool:
        """Whether a person has not seen too many errors of this child just now."""
        now = time.monotonic()
        while child.errors_at and now - child.errors_at[0] > ENDS_WITHIN_S:
            child.errors_at.popleft()
        if len(child.errors_at) > MOST_ERRORS:
            return False
        child.errors_at.append(now)
        if len(child.errors_at) > MOST_ERRORS:
            self.show(f"{child.program.name:<6}| more errors are in {child.log.path}")
            return False
        return True


def _describe_end(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def stop_on_signals() -> None:
    """Raise `Stopped` on SIGINT, SIGTERM and SIGHUP.

    A process that a shell started in the background ignores SIGINT, and Dagster's children
    would inherit that and could not be stopped; so it is set, not kept.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Stopped

    for number in STOP_SIGNALS:
        signal.signal(number, stop)


def is_port_taken(port: int) -> bool:
    """Whether something on this machine accepts connections on the port."""
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex((HOST, port)) == 0


def find_free_port(port: int) -> int:
    """The first port from `port` on that nothing answers on."""
    while is_port_taken(port):
        port += 1
    return port


def _prepare_child(parent: int) -> Callable[[], None]:
    """What a child does between fork and exec: signals as usual, and death with its parent."""
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in STOP_SIGNALS[1:]:
            signal.signal(number, signal.SIG_DFL)
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

    return prepare


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
