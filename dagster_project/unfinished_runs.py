"""Runs whose process died: they are ended, so that nothing waits for them and nobody wonders."""

from __future__ import annotations

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

from assets.process_tags import FORMER_PROCESS_TAG, PROCESS_TAG, is_process_gone

UNFINISHED = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def end_dead_runs(instance: DagsterInstance) -> list[str]:
    """Mark as failed the unfinished runs of this machine whose process is gone; their ids."""
    found = instance.get_runs(filters=RunsFilter(statuses=UNFINISHED))
    dead = [run for run in found if is_process_gone(_name_process(run))]
    for run in dead:
        instance.report_run_failed(run, "The process of this run died; sync again to finish it.")
    return [run.run_id for run in dead]


def _name_process(run: DagsterRun) -> str:
    return run.tags.get(PROCESS_TAG) or run.tags.get(FORMER_PROCESS_TAG, "")
