"""Processes that run `ragline` and start in milliseconds, because their libraries are imported.

`prepared_process` forks them. With RAGLINE_SOAK, and where the system is not Linux, each command
starts an interpreter, as a shell does. The tests of `ragline dev` and of the runbooks always do.
"""

from __future__ import annotations

import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from repetition_counts import IS_SOAK

from ragline.commands import QUIET

PROGRAM = Path(__file__).with_name("prepared_process.py")


class ForkedCommand:
    """A command in a forked process, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, out: int, err: int, states: int) -> None:
        self.stdout: IO[str] = os.fdopen(out, encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(err, encoding="utf-8")
        self.returncode: int | None = None
        self._states = os.fdopen(states, encoding="utf-8")
        self.pid = int(self._states.readline())
        self._output: tuple[str, str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        self._close()

    def poll(self) -> int | None:
        return self._read_status(0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._read_status(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("ragline", timeout or 0)
        return status

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        if self._output is None:
            began_at = time.monotonic()
            readers = [_Reader(self.stdout), _Reader(self.stderr)]
            self.wait(timeout)
            for reader in readers:
                reader.join(None if timeout is None else began_at + timeout - time.monotonic())
            self._output = (readers[0].text, readers[1].text)
            self._close()
        return self._output

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _read_status(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._states], [], [], timeout)[0]:
            self.returncode = int(self._states.readline())
        return self.returncode

    def _close(self) -> None:
        for file in (self.stdout, self.stderr, self._states):
            file.close()


class _Reader(threading.Thread):
    """Reads a pipe to its end: a full pipe would stop the command."""

    def __init__(self, file: IO[str]) -> None:
        super().__init__(daemon=True)
        self.text = ""
        self._file = file
        self.start()

    def run(self) -> None:
        self.text = self._file.read()


# Both have the methods that tests use.
CommandProcess = ForkedCommand | subprocess.Popen[str]


def start_command(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> CommandProcess:
    """Run `ragline` in a process with this working folder and this environment."""
    if IS_SOAK or sys.platform != "linux":
        return subprocess.Popen(
            [sys.executable, "-m", "ragline", *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    message = {"arguments": arguments, "folder": str(folder), "environment": dict(environment)}
    out, err, states = os.pipe(), os.pipe(), os.pipe()
    writing = [pipe[1] for pipe in (out, err, states)]
    requests, _ = _open_prepared_process()
    socket.send_fds(requests, [json.dumps(message).encode()], writing)
    for descriptor in writing:
        os.close(descriptor)
    return ForkedCommand(out[0], err[0], states[0])


@functools.cache
def _open_prepared_process() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """The prepared process with its socket. It ends when this process closes the socket."""
    requests, its_requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with its_requests:
        process = subprocess.Popen(
            [sys.executable, "-P", str(PROGRAM), str(its_requests.fileno())],
            env={**environment, **QUIET},
            stdin=subprocess.DEVNULL,
            pass_fds=[its_requests.fileno()],
            start_new_session=True,
        )
    return requests, process
