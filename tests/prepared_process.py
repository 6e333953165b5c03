"""A program that imports libraries once, then runs each command in a copy of its own process.

`command_process` starts it and sends the commands. Only libraries are imported in advance, which
takes seconds. A command imports the code of Ragline itself, from the folders that the message
names.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from pathlib import Path

MAX_MESSAGE_BYTES = 1 << 20
# The libraries of the pipeline, of the service and of both.
LIBRARIES = (
    "alembic.command", "dagster_postgres", "dagster_webserver", "fastapi", "fastapi_offline",
    "great_expectations.checkpoint.actions", "great_expectations.expectations", "httpx2", "jinja2",
    "markdown_it", "mcp.server", "numpy", "opentelemetry.sdk.trace", "openvino", "pathspec",
    "pgvector.sqlalchemy", "prometheus_client", "psutil", "psycopg", "rich.progress",
    "sqlalchemy.dialects.postgresql", "tokenizers", "uvicorn", "yaml",
)  # fmt: skip


def main() -> None:
    """Import the libraries, wait for commands, and run `ragline` in the process of each."""
    for library in LIBRARIES:
        importlib.import_module(library)
    # A collection would copy the memory that the processes share.
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        arguments = _wait_for_command(requests)
    sys.argv[1:] = arguments
    _run_module("ragline")


def _run_module(name: str) -> None:
    """Do what `python -m` does, except that the memory of the modules is not cleared at the end.

    Clearing it would copy the memory that the processes share, which takes half a second.
    """
    status = 0

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    # The first registered function is called last, after those of the command.
    atexit.register(leave)
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        status = 1
        raise


def _wait_for_command(requests: socket.socket) -> list[str]:
    """Return in a new process for each message, with the arguments of its command."""
    # The terminal interrupts the tests, which then close the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, MAX_MESSAGE_BYTES, 3)
        _remove_ended_children()
        if not message:
            sys.exit()
        if os.fork() == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _fork_and_watch(*descriptors)
            return _prepare(**json.loads(message))
        for descriptor in descriptors:
            os.close(descriptor)


def _remove_ended_children() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _fork_and_watch(out: int, err: int, states: int) -> None:
    """Return in a new process with these outputs; write its id and its exit status to `states`."""
    process = os.fork()
    if process == 0:
        os.dup2(out, sys.stdout.fileno())
        os.dup2(err, sys.stderr.fileno())
        for descriptor in (out, err, states):
            os.close(descriptor)
        return
    try:
        # The command alone keeps the pipes open.
        for descriptor in (out, err):
            os.close(descriptor)
        os.write(states, f"{process}\n".encode())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _, status = os.waitpid(process, 0)
        os.write(states, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    finally:
        os._exit(0)


def _prepare(arguments: list[str], folder: str, environment: dict[str, str]) -> list[str]:
    """Set the folder and the variables of a command; return its arguments."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    stated = environment.get("PYTHONPATH", "")
    sys.path[:0] = [str(Path.cwd()), *(path for path in stated.split(os.pathsep) if path)]
    importlib.invalidate_caches()
    return arguments


if __name__ == "__main__":
    main()
