"""Limits a parser process: it ends with its parent, and has limited memory and no network.

Each function limits the calling process. Programs that the process starts inherit the limit of the
memory and the empty network namespace. `parser_child` enforces the time limit from outside.
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
    """Ask the kernel to kill this process when its parent process dies (Linux only).

    If the parent `parent_pid` died before this call, this process ends at once.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent_pid is not None and os.getppid() != parent_pid:
        os._exit(1)


def limit_memory(limit_bytes: int) -> None:
    """Limit the private memory of this process. An allocation above `limit_bytes` fails.

    The memory that the process already uses (its resident size) counts towards `limit_bytes`.
    Shared memory and reserved memory do not count, because programs that reserve much memory could
    otherwise not start.
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

    If the kernel permits it, the process enters an empty network namespace. Python's sockets are
    always disabled, because on some systems only the administrator can create namespaces.
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
    """Keep the user and the group in the new namespace.

    If this fails, the process can still read its files, because the kernel checks the original ids.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _refuse_connection(*_args: Any, **_options: Any) -> NoReturn:
    raise OSError("the parser process has no network")


def _read_status() -> dict[str, int]:
    """Return the sizes of this process in bytes, by their names in /proc/self/status.

    The result is empty if this file does not exist.
    """
    path = Path("/proc/self/status")
    if not path.exists():
        return {}
    fields = (line.split() for line in path.read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in fields if words[-1] == "kB"}
