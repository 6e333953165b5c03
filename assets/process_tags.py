"""The name of the process that a run is in, as the run's tag.

Whoever finds the run unfinished can see from it whether somebody still works on it; that is
done in `dagster_project.unfinished_runs`.
"""

from __future__ import annotations

import os
import socket

import psutil

# The prefix hides it in the UI's list of runs.
PROCESS_TAG = ".dagster/ragline_process"
# What runs of releases up to 0.3.0 have.
FORMER_PROCESS_TAG = "ragline/process"


def process_tags() -> dict[str, str]:
    """What a run in this process is tagged with: machine, process id, time of its start."""
    started = psutil.Process().create_time()
    return {PROCESS_TAG: f"{socket.gethostname()}:{os.getpid()}:{started:.0f}"}


def is_process_gone(tag: str) -> bool:
    """Whether the tagged process ran on this machine and does not any more."""
    machine, _, process = tag.partition(":")
    number, _, started = process.partition(":")
    if machine != socket.gethostname() or not number.isdigit():
        return False
    try:
        # A process id is used again; a time of start with it is not.
        return abs(psutil.Process(int(number)).create_time() - float(started)) > 1
    except psutil.NoSuchProcess:
        return True
