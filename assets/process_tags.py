"""Run tags that identify the process of a run.

`dagster_project.instance.end_dead_runs` uses them to find unfinished runs whose process is gone.
"""

from __future__ import annotations

import os
import socket

import psutil

# The UI hides tags with this prefix.
PROCESS_TAG = ".dagster/ragline_process"
# The tag that releases up to 0.3.0 gave their runs.
FORMER_PROCESS_TAG = "ragline/process"


def process_tags() -> dict[str, str]:
    """Return the tags of a run in this process: machine, process id, start of the process."""
    started = psutil.Process().create_time()
    return {PROCESS_TAG: f"{socket.gethostname()}:{os.getpid()}:{started:.0f}"}


def is_process_gone(tag: str) -> bool:
    """Return whether the tagged process ran on this machine and has ended."""
    machine, _, process = tag.partition(":")
    number, _, started = process.partition(":")
    if machine != socket.gethostname() or not number.isdigit():
        return False
    try:
        # A process id can be reused. The start time then differs.
        return abs(psutil.Process(int(number)).create_time() - float(started)) > 1
    except psutil.NoSuchProcess:
        return True
