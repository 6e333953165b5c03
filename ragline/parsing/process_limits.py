"""What a reader's process must not do: outlive its parent, fill memory, reach the network.

Each function works on the calling process and is inherited by the programs that it starts.
Time is watched from outside, in `parser_child`.
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

    With `parent_pid`, a parent that died before this call counts too.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent_pid is not None and os.getppid() != parent_pid:
        os._exit(1)


def limit_memory(limit_bytes: int) -> None:
    """Let private memory grow until this process is `limit_bytes` large; then allocation fails.

    Counted from what the process has now, so that its imports are not charged twice. Shared
    and reserved memory is free, or the programs that reserve much of it could not start.
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
    """Cut this process off from every network.

    The kernel does it for good where it allows that; the library's own sockets are shut in
    any case, since some systems keep network namespaces for the administrator.
    """
    if sys.platform == "linux":
        _enter_empty_network()
    socket.socket.connect = _refuse  # type: ignore[method-assign]
    socket.socket.connect_ex = _refuse  # type: ignore[method-assign]
    socket.getaddrinfo = _refuse


def _enter_empty_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0:
        return
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        _keep_user(user, group)


def _keep_user(user: int, group: int) -> None:
    """Be the same user inside the new namespace. Refused: files are still ours by number."""
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _refuse(*_args: Any, **_options: Any) -> NoReturn:
    raise OSError("readers have no network")


def _read_status() -> dict[str, int]:
    """Sizes of this process in bytes by the names of /proc/self/status; empty elsewhere."""
    path = Path("/proc/self/status")
    if not path.exists():
        return {}
    fields = (line.split() for line in path.read_text().splitlines())
    return {one[0].rstrip(":"): int(one[1]) * 1024 for one in fields if one[-1] == "kB"}
