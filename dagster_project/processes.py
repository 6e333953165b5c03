"""Child processes that live and die together: what `ragline dev` starts and stops."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from ragline.errors import RaglineError

GRACE_S = 10.0
PR_SET_PDEATHSIG = 1


class ProcessError(RaglineError):
    """A part of `ragline dev` could not start or ended by itself. Its output says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """A child to be started: its name in the output, its command, its port if it answers on one."""

    name: str
    command: Sequence[str]
    port: int | None = None


@dataclass
class Family:
    """Children that are all stopped when the block ends, however it ends.

    Each child leads a process group of its own, so its own children go with it; a child of a
    parent that was killed with -9 is told by the kernel.
    """

    environment: Mapping[str, str]
    _children: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def __enter__(self) -> Family:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self, program: Program) -> None:
        """Start a child; its output appears on standard error under its name.

        Raises:
            ProcessError: its port is taken already.
        """
        if program.port is not None and is_port_taken(program.port):
            raise ProcessError(
                f"port {program.port} is taken, which {program.name} needs; stop what uses it, "
                "or choose another port (see --help)"
            )
        child = subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=dict(self.environment),
            start_new_session=True,
            preexec_fn=_prepare_child,  # noqa: PLW1509 - nothing else runs threads yet here
        )
        self._children[program.name] = child
        threading.Thread(target=_copy_output, args=(program.name, child), daemon=True).start()

    def wait_for_port(self, program: Program, seconds: float = 90.0) -> None:
        """Wait until a child answers on its port.

        Raises:
            ProcessError: it ended, or did not answer in time.
        """
        assert program.port is not None
        deadline = time.monotonic() + seconds
        while not is_port_taken(program.port):
            self.check()
            if time.monotonic() > deadline:
                raise ProcessError(f"{program.name} does not answer on port {program.port}")
            time.sleep(0.1)

    def check(self) -> None:
        """Raise ProcessError when a child has ended."""
        for name, child in self._children.items():
            if child.poll() is not None:
                raise ProcessError(f"{name} ended with status {child.returncode}; see above")

    def stop(self) -> None:
        """Ask every child to stop, the last started first, and kill what is left after GRACE_S."""
        children = list(reversed(self._children.values()))
        for child in children:
            _signal_group(child, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        for child in children:
            try:
                child.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                pass
            _signal_group(child, signal.SIGKILL)
            child.wait()
        self._children.clear()


class Stopped(Exception):  # noqa: N818 - a request, not an error
    """Somebody asked the process to stop."""


def stop_on_signals() -> None:
    """Raise `Stopped` on SIGINT and SIGTERM.

    A process that a shell started in the background ignores SIGINT, and Dagster's children
    would inherit that and could not be stopped; so it is set, not kept.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Stopped

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def is_port_taken(port: int) -> bool:
    """Whether something on this machine accepts connections on the port."""
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _prepare_child() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal_group(child: subprocess.Popen[str], number: signal.Signals) -> None:
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return


def _copy_output(name: str, child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        sys.stderr.write(f"{name:<9}| {line.rstrip()}\n")
