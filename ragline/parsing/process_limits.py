"""Limits of a parser process: it ends with its parent, and has bounded memory and no network.

Each function applies to the calling process; the programs that it starts inherit the limit.
`parser_child` enforces the time limit from outside.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


def die_with_parent(parent_pid: int | None = None) -> None:
    """Ask the kernel to kill this process when the one that started it dies (Linux only).

    With `parent_pid`, this process also ends when that parent died before this call.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent_pid is not None and os.getppid() != parent_pid:
        os._exit(1)


def limit_memory(limit_bytes: int) -> None:
    """Limit the growth of private memory: allocation fails when this process uses `limit_bytes`.

    The limit counts from the current size, so imports are not counted twice. Shared and reserved
    memory does not count: programs that reserve much memory could not start otherwise.
    """
    status = _read_status()
    if "VmData" not in status:
        return
    room = max(limit_bytes - status["VmRSS"], 0)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = status["VmData"] + room
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def leave_network() -> None:
    """Disconnect this process from every network.

    Where the kernel permits it, the process enters an empty network namespace. Python's sockets
    are disabled in any case, because some systems allow namespaces to the administrator only.
    """
    if sys.platform == "linux":
        _enter_empty_network()
    socket.socket.connect = _refuse_connection  # type: ignore[method-assign]
    socket.socket.connect_ex = _refuse_connection  # type: ignore[method-assign]
    socket.getaddrinfo = _refuse_connection


def _enter_empty_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0:
        return
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        _keep_user(user, group)


def _keep_user(user: int, group: int) -> None:
    """Keep the same user in the new namespace. If it fails, files stay accessible by user id."""
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _refuse_connection(*_args: Any, **_options: Any) -> NoReturn:
    raise OSError("the parser process has no network")


def _read_status() -> dict[str, int]:
    """Sizes of this process in bytes, by their names in /proc/self/status, if this file exists."""
    path = Path("/proc/self/status")
    if not path.exists():
        return {}
    fields = (line.split() for line in path.read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in fields if words[-1] == "kB"}
