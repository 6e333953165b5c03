"""`ragline sync`: syncs sources by a Dagster run in this process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from ragline.command_line.text_output import open_console
from ragline.commands import configured, json_option, print_json
from ragline.counts import count, list_counts
from ragline.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.console import Console

    from dagster_project.sync_runs import SyncOutcome
    from ragline.configuration import Configuration
    from ragline.lifecycle.source_syncs import SourceSync
    from ragline.status import SourceStatus
    from ragline.storage.database import Database

COUNTS = (
    "listed", "added", "changed", "unchanged", "removed", "held", "failed", "quarantined",
    "unsupported", "chunks", "embeddings_made", "embeddings_reused",
)  # fmt: skip


@click.command()
@click.argument("sources", nargs=-1)
@json_option
@configured
def sync(configuration: Configuration, sources: tuple[str, ...], *, as_json: bool) -> None:
    """Update the index from SOURCES, or from all sources.

    If a document cannot be read, the sync reports it and continues. If a source or a stage fails,
    the sync fails with exit status 1.
    """
    names = list(dict.fromkeys(sources)) or [source.name for source in configuration.sources]
    for name in names:
        configuration.source(name)
    if not configuration.sources:
        raise ConfigurationError(
            "there is no source to sync; add one under sources", path=configuration.path
        )
    missing = _missing_paths(configuration, names)
    collections = dict.fromkeys(configuration.source(name).collection for name in names)
    # The import of Dagster takes a second. It comes after the checks of the configuration, so that
    # their errors are reported at once.
    from ragline.lifecycle.settings_refusal import check_unserved_collections

    if not (configuration.database_url or configuration.home.exists()):
        check_unserved_collections(configuration, collections, database=None)
        if missing:
            raise missing[0]
    from dagster_project.sync_runs import run_sync
    from ragline.progress import TerminalProgress
    from ragline.status import read_status
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        check_unserved_collections(configuration, collections, database)
        _refuse_never_synced(database, missing, configuration)
        outcome = run_sync(configuration, database, names, TerminalProgress())
        statuses = [row for row in read_status(database).sources if row.source in names]
    if as_json:
        print_json(describe_outcome(outcome))
    else:
        print_outcome(outcome, statuses, open_console())
    sys.exit(0 if outcome.ok else 1)


def _missing_paths(configuration: Configuration, names: list[str]) -> list[ConfigurationError]:
    from ragline.configuration.checks import check_local_paths

    chosen = [source for source in configuration.sources if source.name in names]
    return check_local_paths(configuration.model_copy(update={"sources": tuple(chosen)}))


def _refuse_never_synced(
    database: Database, missing: list[ConfigurationError], configuration: Configuration
) -> None:
    """Raise an error for a missing path if its source was never synced.

    In this case, the path is probably wrong. If the source was synced before, no error is raised
    here, and the sync reports the source as unreachable.
    """
    if not missing:
        return
    from ragline.status import read_status

    listed = {
        status.source for status in read_status(database).sources if status.listed_at is not None
    }
    lines = {configuration.source_lines.get(name) for name in listed}
    for fault in missing:
        if fault.line not in lines:
            raise fault


def describe_outcome(outcome: SyncOutcome) -> dict[str, Any]:
    """The outcome in the form of `--json`."""
    return {
        "run_id": outcome.run_id,
        "ok": outcome.ok,
        "seconds": outcome.seconds,
        "sources": {
            name: {
                "source": name,
                "collection": sync.collection,
                **{count: getattr(sync, count) for count in COUNTS},
                "seconds": sync.seconds,
                "error": sync.error,
            }
            for name, sync in outcome.sources.items()
        },
        "collections": outcome.collections,
        "checks": {"passed": outcome.checks_passed, "failed": outcome.checks_failed},
        "failed_steps": outcome.failed_steps,
    }


def print_outcome(outcome: SyncOutcome, statuses: list[SourceStatus], console: Console) -> None:
    """Print the outcome: one line for each source, then alarms and failures by name."""
    for name, sync in outcome.sources.items():
        console.print(f"[bold]{name}[/bold]: {describe_source_sync(sync)}")
    for status in statuses:
        for alarm in status.alarms:
            console.print(f"[red]alarm[/red]: {escape(alarm)}")
        for failure in status.failures:
            console.print(
                f"[yellow]{failure.state}[/yellow] {escape(status.source)}: "
                f"{escape(failure.document_id)}: {escape(failure.error)}"
            )
    for check in outcome.checks_failed:
        colour = "red" if check.severity == "ERROR" else "yellow"
        console.print(f"[{colour}]check failed[/{colour}] {check.asset}: {check.check}")
    for step in outcome.failed_steps:
        console.print(f"[red]failed[/red] {step.step}: {escape(step.error)}")
    result = "[green]done[/green]" if outcome.ok else "[red]failed[/red]"
    console.print(
        f"{result} in {outcome.seconds:.1f} s: run {outcome.run_id}, "
        f"{count(outcome.checks_passed, 'check')} passed, {len(outcome.checks_failed)} failed"
    )


def describe_source_sync(sync: SourceSync) -> str:
    """Return one line that says what a sync did for one source. Counts of 0 are left out."""
    changes = list_counts(
        (getattr(sync, name), name) for name in ("added", "changed", "unchanged", "removed", "held")
    )
    troubles = list_counts(
        (getattr(sync, name), name) for name in ("failed", "quarantined", "unsupported")
    )
    made = list_counts(((sync.embeddings_made, "made"), (sync.embeddings_reused, "reused")))
    parts = [
        f"{sync.listed:,} listed" + (f" ({changes})" if changes else ""),
        troubles,
        count(sync.chunks, "chunk") if sync.chunks else "",
        f"embeddings: {made}" if made else "",
        f"{sync.seconds:.1f} s",
    ]
    return "; ".join(part for part in parts if part)
