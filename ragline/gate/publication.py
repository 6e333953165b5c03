"""The stage `publish` with the gate: a sync judges its own candidate before it promotes it.

`ragline.lifecycle.search_index` publishes without the gate, and names what prevents a promotion. If
a valid report of the gate is missing, the gate runs, and the collection is published again. A
candidate that the gate did not pass stays a candidate. It is judged again in two cases: if the live
generation, the golden set or the settings of the gate or of searches change, or if an operator runs
`ragline gate`.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from ragline.errors import DatabaseUnavailableError, RaglineError
from ragline.gate.judgement import judge_candidate
from ragline.gate.stored_reports import store_report
from ragline.lifecycle.index_report import IndexReport, describe_error
from ragline.lifecycle.open_generations import name_run
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.search_index import publish_index

logger = logging.getLogger(__name__)


def publish_collection(run_context: RunContext, collection_name: str) -> IndexReport:
    """Publish a collection. If a candidate lacks only a report of the gate, run the gate first.

    If the gate cannot run, the result contains the error, and the live generation stays live. The
    result is also stored in `run_context.index_reports`. It is safe to call this function twice.

    Raises:
        ConfigurationError: the settings cannot be satisfied and the collection has no live
            generation.
        DatabaseUnavailableError: the database does not answer.
    """
    first = publish_index(run_context, collection_name)
    if first.obstacle is None or not first.obstacle.is_judgement_missing:
        return first
    report = _judge_and_publish(run_context, collection_name, first)
    run_context.index_reports[collection_name] = report
    return report


def _judge_and_publish(
    run_context: RunContext, collection_name: str, first: IndexReport
) -> IndexReport:
    try:
        judged = judge_candidate(
            run_context.database,
            run_context.configuration,
            collection_name,
            first.generation,
            models=run_context.models,
            progress=run_context.progress,
        )
    except DatabaseUnavailableError:
        raise
    except RaglineError as error:
        logger.warning("the gate of %s could not run: %s", collection_name, error)
        return replace(first, error=error, reason=describe_error(error))
    store_report(run_context.database, judged, name_run(run_context))
    second = publish_index(run_context, collection_name)
    return replace(
        second,
        was_promoted=first.was_promoted or second.was_promoted,
        dropped_generations=[*first.dropped_generations, *second.dropped_generations],
        seconds=first.seconds + judged.seconds + second.seconds,
    )
