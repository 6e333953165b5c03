"""The child processes of `ragline dev`. A process that ends is started again. All stop together.

`dagster dev` could run three of the four processes: code server, UI and daemon. It is not used,
because it stops all three when one of them ends, and mixes their logs.
"""

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

from dagster_project.child_logs import ChildLog, is_error_line
from dagster_project.disk_watch import DiskWatch
from ragline.errors import ProcessError
from ragline.storage.disk_errors import FULL

HOST = "127.0.0.1"
STOP_TIMEOUT_S = 10.0
# A program that ends MAX_ENDS times within END_WINDOW_S is not started again.
MAX_ENDS = 5
END_WINDOW_S = 60.0
FIRST_RESTART_DELAY_S = 0.5
# The longest delay of a restart while the disk is full. An end because of a full disk does not
# count for MAX_ENDS.
MAX_RESTART_DELAY_S = 15.0
# How many error lines of a program are shown within END_WINDOW_S. The log file of the program has
# all lines.
MAX_ERROR_LINES = 5
START_TIMEOUT_S = 120.0
PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(KeyboardInterrupt):
    """A signal asked this process to stop. A handler of `Exception` does not catch this class."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run: its name in the output, its command, and how to see that it is ready.

    A program is ready if it accepts connections on `port`. If `path` is set, it must also answer a
    request for this path with status 200.
    """

    name: str
    command: Sequence[str]
    port: int | None = None
    path: str | None = None

    def is_ready(self, timeout: float = 5) -> bool:
        """Whether the program answers; always true for a program without a port."""
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
class _ChildProcess:
    program: Program
    process: subprocess.Popen[bytes]
    log: ChildLog
    ended_at: deque[float] = field(default_factory=deque)
    # The number of its last ends that a full disk caused, without another end between them.
    full_disk_ends: int = 0
    # The time at which the program will be started again; None while it runs.
    restart_at: float | None = None
    errors_at: deque[float] = field(default_factory=deque)
    # The time since which the program has not answered; None if it answers.
    away_since: float | None = None


@dataclass
class ProcessGroup:
    """Programs that run until the `with` block ends. A program that ends is started again.

    Each child leads its own process group of the operating system, so that its children stop with
    it. If this process is killed, the kernel stops the children.

    This class uses no threads, because a forked child must not inherit a lock that a thread holds.

    Attributes:
        environment: The environment of the children.
        logs: The folder of the log files. A full disk under it does not end this process.
        show: Called with a line for each end, each restart and each error.
        is_verbose: Whether `show` also gets every line that a program writes.
        may_start: Called before a restart. Returns whether the restart can succeed now.
    """

    environment: Mapping[str, str]
    logs: Path
    show: Callable[[str], None]
    is_verbose: bool = False
    may_start: Callable[[], bool] = lambda: True
    _disk: DiskWatch = field(init=False)
    _children: list[_ChildProcess] = field(default_factory=list)
    _outputs: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def __post_init__(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        self._disk = DiskWatch(self.logs, self.show)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self, program: Program) -> None:
        """Start a program; its output goes to a log file with its name."""
        log = ChildLog(self.logs / f"{program.name}.log")
        self._children.append(_ChildProcess(program, self._spawn(program), log))
        self._listen(self._children[-1])

    def wait_for(self, program: Program) -> None:
        """Wait until a started program is ready.

        Raises:
            ProcessError: a program ended too often, or this one was not ready in time.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while not program.is_ready():
            self.watch(0.1)
            if time.monotonic() > deadline:
                raise ProcessError(
                    f"{program.name} does not answer on port {program.port} after "
                    f"{START_TIMEOUT_S:.0f} s; its log is {self.logs / program.name}.log"
                )

    def watch(self, seconds: float) -> None:
        """Forward the output of the programs for `seconds`, then restart the programs that ended.

        Raises:
            ProcessError: a program ended MAX_ENDS times within END_WINDOW_S.
        """
        self._forward_output(seconds)
        self._disk.check()
        now = time.monotonic()
        for child in self._children:
            if child.restart_at is None and child.process.poll() is not None:
                self._handle_end(child, now)
            elif child.restart_at is not None and now >= child.restart_at and self.may_start():
                self._restart(child)
            elif child.away_since is not None and child.program.is_ready(timeout=0.5):
                self.show(
                    f"{child.program.name} answers again after {now - child.away_since:.0f} s"
                )
                child.away_since = None

    def watch_until_stopped(self, poll: Callable[[], None] = lambda: None) -> NoReturn:
        """Watch until a signal or an error occurs. Call `poll` about twice a second.

        A write that fails because of a full disk does not end the loop.
        """
        while True:
            try:
                self.watch(0.5)
                poll()
            except OSError as error:
                if error.errno not in FULL:
                    raise
                self._disk.check_by_writing()

    def stop(self) -> None:
        """Send SIGTERM to all programs. Send SIGKILL to those that run after STOP_TIMEOUT_S."""
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for child in self._children:
            _signal_group(child.process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline and any(
            child.process.poll() is None for child in self._children
        ):
            self._forward_output(0.1)
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

    def _listen(self, child: _ChildProcess) -> None:
        if child.process.stdout is not None:
            os.set_blocking(child.process.stdout.fileno(), False)
            self._outputs.register(child.process.stdout, selectors.EVENT_READ, child)

    def _handle_end(self, child: _ChildProcess, now: float) -> None:
        """Schedule the restart of a program that ended, and show its end and its restart."""
        # A child of the program that still runs would occupy the port.
        _signal_group(child.process, signal.SIGKILL)
        self._forward_output(0.1)
        name, how = child.program.name, _describe_end(child.process.returncode)
        if self._disk.explains_end():
            delay_s = min(FIRST_RESTART_DELAY_S * 2**child.full_disk_ends, MAX_RESTART_DELAY_S)
            child.full_disk_ends += 1
        else:
            delay_s = self._count_end(child, now)
        child.restart_at = now + delay_s
        child.away_since = child.away_since or now
        self.show(f"{name} {how}; it is started again in {delay_s:.1f} s (log: {child.log.path})")

    def _count_end(self, child: _ChildProcess, now: float) -> float:
        """Count the end of a program; return the delay of its restart in seconds."""
        child.full_disk_ends = 0
        child.ended_at.append(now)
        while now - child.ended_at[0] > END_WINDOW_S:
            child.ended_at.popleft()
        if len(child.ended_at) >= MAX_ENDS:
            last_lines = "\n".join(child.log.last_lines)
            raise ProcessError(
                f"{child.program.name} does not stay up: it "
                f"{_describe_end(child.process.returncode)}, {MAX_ENDS} times within "
                f"{END_WINDOW_S:.0f} s; its log is {child.log.path} and ends with\n{last_lines}"
            )
        return FIRST_RESTART_DELAY_S * 2.0 ** (len(child.ended_at) - 1)

    def _restart(self, child: _ChildProcess) -> None:
        if child.process.stdout is not None and not child.process.stdout.closed:
            with suppress(KeyError):  # the output is unregistered when it has ended
                self._outputs.unregister(child.process.stdout)
            child.process.stdout.close()
        child.process = self._spawn(child.program)
        child.restart_at = None
        self._listen(child)

    def _forward_output(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            for key, _ in self._outputs.select(max(deadline - time.monotonic(), 0)):
                content = os.read(key.fd, 65_536)
                self._write(key.data, content)
                if not content:
                    self._outputs.unregister(key.fileobj)
            if time.monotonic() >= deadline:
                return

    def _write(self, child: _ChildProcess, content: bytes) -> None:
        earlier_fault = child.log.fault
        lines = child.log.write(content)
        is_new = earlier_fault is None and child.log.fault is not None
        if is_new and not self._disk.check_by_writing():
            self.show(f"lines of {child.log.path} are lost: {child.log.fault}")
        for line in lines:
            if self.is_verbose or (is_error_line(line) and self._may_show_error(child)):
                self.show(f"{child.program.name:<6}| {line}")

    def _may_show_error(self, child: _ChildProcess) -> bool:
        """Whether fewer than MAX_ERROR_LINES of this program were shown within END_WINDOW_S."""
        now = time.monotonic()
        while child.errors_at and now - child.errors_at[0] > END_WINDOW_S:
            child.errors_at.popleft()
        if len(child.errors_at) > MAX_ERROR_LINES:
            return False
        child.errors_at.append(now)
        if len(child.errors_at) > MAX_ERROR_LINES:
            self.show(f"{child.program.name:<6}| more errors are in {child.log.path}")
            return False
        return True


def _describe_end(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def stop_on_signals() -> None:
    """Raise `StopRequested` on SIGINT, SIGTERM and SIGHUP.

    A shell starts a background process with SIGINT ignored. Dagster's children would inherit this
    setting and could not be stopped. So the handler is always set.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise StopRequested

    for number in STOP_SIGNALS:
        signal.signal(number, stop)


def is_port_taken(port: int) -> bool:
    """Whether a program on this machine accepts connections on the port."""
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex((HOST, port)) == 0


def find_free_port(port: int) -> int:
    """The first free port from `port` upwards."""
    while is_port_taken(port):
        port += 1
    return port


def _prepare_child(parent: int) -> Callable[[], None]:
    """Return the function that a child runs between fork and exec.

    The function resets the signal handlers. It asks the kernel to end the child when the process
    `parent` ends.
    """
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
