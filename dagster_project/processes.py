"""Child processes that live and die together: what `ragline dev` starts and stops."""

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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import FrameType
from typing import Self

from ragline.errors import ProcessError

HOST = "127.0.0.1"
GRACE_S = 10.0
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

    def is_up(self) -> bool:
        """Whether the program answers; one without a port cannot be asked."""
        if self.port is None:
            return True
        if self.path is None:
            return is_port_taken(self.port)
        try:
            with urllib.request.urlopen(
                f"http://{HOST}:{self.port}{self.path}", timeout=5
            ) as answer:
                return bool(answer.status == HTTPStatus.OK)
        except OSError:
            return False


@dataclass
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    unfinished_line: bytes = b""

    def write(self, content: bytes) -> None:
        """Pass on whole lines under the child's name."""
        *lines, self.unfinished_line = (self.unfinished_line + content).split(b"\n")
        for line in lines:
            sys.stderr.write(f"{self.name:<7}| {line.decode(errors='replace').rstrip()}\n")
        sys.stderr.flush()


@dataclass
class Family:
    """Children that are all stopped when the block ends, however it ends.

    Each child leads a process group of its own, so its own children go with it; a child of a
    parent that was killed with -9 is told by the kernel. There are no threads here: what runs
    between fork and exec must not find a lock held.
    """

    environment: Mapping[str, str]
    _children: list[_Child] = field(default_factory=list)
    _outputs: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self, program: Program) -> None:
        """Start a child; its output appears on standard error under its name."""
        process = subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(self.environment),
            start_new_session=True,
            preexec_fn=_prepare_child(os.getpid()),  # noqa: PLW1509 - there are no threads
        )
        child = _Child(program.name, process)
        self._children.append(child)
        if process.stdout is not None:
            os.set_blocking(process.stdout.fileno(), False)
            self._outputs.register(process.stdout, selectors.EVENT_READ, child)

    def wait_for(self, program: Program) -> None:
        """Wait until a child that was started answers.

        Raises:
            ProcessError: a child ended, or this one did not answer in time.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while not program.is_up():
            self.watch(0.1)
            if time.monotonic() > deadline:
                raise ProcessError(
                    f"{program.name} does not answer on port {program.port}; see above"
                )

    def watch(self, seconds: float) -> None:
        """Pass on the children's output for some time.

        Raises:
            ProcessError: a child has ended.
        """
        self._pass_on(seconds)
        for child in self._children:
            status = child.process.poll()
            if status is not None:
                self._pass_on(0.1)
                raise ProcessError(f"{child.name} ended with status {status}; see above")

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
        self._children.clear()
        self._outputs.close()

    def _pass_on(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            for key, _ in self._outputs.select(max(deadline - time.monotonic(), 0)):
                content = os.read(key.fd, 65_536)
                key.data.write(content)
                if not content:
                    self._outputs.unregister(key.fileobj)
            if time.monotonic() >= deadline:
                return


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
