"""`ragline status`: what is where, what failed and why, and whether the clocks are kept."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ragline.commands import configured, json_option, print_json
from ragline.configuration import Configuration
from ragline.lifecycle.states import STATES
from ragline.status import Clock, CollectionStatus, SourceStatus, Status, read_status
from ragline.storage.database import open_database

CLOCK_STYLES = {"kept": "green", "late": "red", "unproven": "yellow"}


@click.command()
@json_option
@configured
def status(configuration: Configuration, *, as_json: bool) -> None:
    """Show sources and collections: states, failures, ages, clocks."""
    with open_database(configuration) as database:
        names = {source.name for source in configuration.sources}
        state = read_status(database, configured=names)
    if as_json:
        print_json(state)
    else:
        print_status(state, Console())


def print_status(state: Status, console: Console) -> None:
    """Show the state of everything to a person."""
    if not state.sources:
        console.print("nothing was synced yet; run `ragline sync`")
        return
    console.print(_source_table(state.sources))
    for source in state.sources:
        for failure in source.failures:
            console.print(
                f"[red]{failure.state}[/red] {escape(source.source)}: "
                f"{escape(failure.document_id)}: {escape(failure.error)}",
                highlight=False,
            )
        for alarm in source.alarms:
            console.print(f"[red]{source.source}[/red]: {escape(alarm)}", highlight=False)
        if source.last_error is not None:
            console.print(f"[red]last sync of {source.source}[/red]: {escape(source.last_error)}")
    for collection in state.collections:
        console.print(_describe_collection(collection), highlight=False)


def _source_table(sources: list[SourceStatus]) -> Table:
    table = Table("source", "collection", *STATES, "entries", "age", "visible", "forgotten")
    for source in sources:
        table.add_row(
            source.source,
            source.collection,
            *(str(source.documents[name]) for name in STATES),
            str(source.entries),
            format_age(source.age_seconds),
            _describe_clock(source.visible),
            _describe_clock(source.forgotten),
        )
    return table


def _describe_clock(clock: Clock) -> str:
    style = CLOCK_STYLES[clock.state]
    shown = f"[{style}]{clock.state}[/{style}] ({format_age(clock.within_seconds)})"
    if clock.readings.p95_seconds is not None:
        shown += f", p95 {format_age(clock.readings.p95_seconds)} of {clock.readings.count}"
    return shown


def _describe_collection(collection: CollectionStatus) -> str:
    if collection.generation is None:
        return f"collection {collection.collection}: no live generation yet"
    return (
        f"collection {collection.collection}: generation {collection.generation}, "
        f"{collection.documents} documents, {collection.entries} entries, "
        f"{collection.embedding_model}"
    )


def format_age(seconds: float | None) -> str:
    """A duration in its largest fitting unit: 45s, 12m, 3h, 2d."""
    if seconds is None:
        return "never"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"
