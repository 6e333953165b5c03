"""The process that runs the ordinary syncs of a listener: `python -m dagster_project.sync_process`.

It keeps Dagster's definitions, its instance, the models and the parser processes between two syncs,
so a sync needs no imports and loads no model. Its standard input has one order in each line, as
JSON. Its standard output has one answer for each order. `follow_up_syncs` starts this process and
ends it, because it needs several hundred megabytes.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, suppress
from dataclasses import asdict
from typing import TextIO

from assets.changed_rows import EXPECTATIONS
from assets.process_tags import STARTED_BY_TAG
from assets.suite_checks import evaluate_source
from dagster_project.jobs import sync_job_name
from dagster_project.sync_orders import SyncAnswer, SyncOrder
from dagster_project.sync_runs import SyncSession, open_sync_session
from ragline.configuration.last_valid import load_last_valid
from ragline.errors import RaglineError
from ragline.lifecycle.run_context import RunContext
from ragline.model_cache import ModelCache, list_models
from ragline.parsing.parser_pool import ParserPool
from ragline.progress import SilentProgress
from ragline.storage.database import open_database

# Callers wait for the listener, and no caller waits for this process.
NICENESS = 5


def main() -> None:
    """Carry out orders until the standard input ends."""
    os.nice(NICENESS)
    answers = _claim_standard_output()
    with ExitStack() as resources:
        session = _open_session(resources)
        for line in sys.stdin:
            answer = _carry_out(session, SyncOrder(**json.loads(line)))
            print(json.dumps(asdict(answer)), file=answers, flush=True)


def _claim_standard_output() -> TextIO:
    """Return the standard output, and send what libraries print to the standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _open_session(resources: ExitStack) -> SyncSession:
    configuration, fault = load_last_valid()
    database = resources.enter_context(open_database(configuration))
    parsers = resources.enter_context(ParserPool())
    models = ModelCache(configuration.home / "models", retry_s=0.0)
    # Now, so that no sync loads a model while the next change waits for its lock.
    with suppress(RaglineError):
        for model in list_models(database):
            models.tokenizer(model)
            models.embedder(model)

    def open_shared(run_id: str) -> RunContext:
        return RunContext(
            configuration,
            database,
            run_id,
            configuration_fault=fault,
            shared_parsers=parsers,
            shared_models=models,
            releases_sources=True,
        )

    return resources.enter_context(
        open_sync_session(configuration, database, SilentProgress(), open_shared)
    )


def _carry_out(session: SyncSession, order: SyncOrder) -> SyncAnswer:
    try:
        _evaluate_first(session, order)
        outcome = session.sync(
            [order.source],
            job=sync_job_name(order.source),
            run_id=order.run_id,
            tags={STARTED_BY_TAG: order.reason},
        )
    except RaglineError as error:
        return SyncAnswer(order.source, f"{type(error).__name__}: {error}", 0.0)
    errors = [f"{step.step}: {step.error}" for step in outcome.failed_steps]
    errors += [f"check {check.check} failed" for check in outcome.checks_failed]
    return SyncAnswer(order.source, "; ".join(errors) or None, outcome.seconds)


def _evaluate_first(session: SyncSession, order: SyncOrder) -> None:
    """Evaluate the expectations on a source before its sync, which locks the source.

    An evaluation takes half a second, and the first one also imports Great Expectations. If no
    document changes before the sync, the sync uses the stored result. So the next change of the
    source need not wait for an evaluation.
    """
    with session.open_context(order.run_id) as run_context:
        for table, expected in EXPECTATIONS.items():
            evaluate_source(run_context, order.source, table, expected)


if __name__ == "__main__":
    main()
