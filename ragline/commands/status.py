"""`ragline status`: shows documents by state, failures, clocks and alarms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from ragline.command_line.text_output import format_age, open_console, print_fields, print_indented
from ragline.commands import configured, json_option, print_json
from ragline.counts import count, list_counts
from ragline.lifecycle.states import STATES

if TYPE_CHECKING:
    from rich.console import Console

    from ragline.alarms import Alarm
    from ragline.configuration import Configuration
    from ragline.status import Clock, CollectionStatus, SourceStatus, Status

CLOCK_STYLES = {"kept": "green", "late": "red", "unproven": "yellow"}


@click.command()
@json_option
@configured
def status(configuration: Configuration, *, as_json: bool) -> None:
    """Show the states, failures, clocks and alarms of sources and collections."""
    from ragline.lifecycle.generation_notices import read_notices
    from ragline.status import read_status
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        names = {source.name for source in configuration.sources}
        state = add_notices(
            read_status(database, configured=names), read_notices(database, configuration)
        )
    if as_json:
        print_json(state)
    else:
        print_status(state, open_console())


def add_notices(state: Status, notices: Mapping[str, str]) -> Status:
    """Return the state with the notices. `notices` contains each notice by its collection."""
    collections = [replace(one, notice=notices.get(one.collection)) for one in state.collections]
    return replace(state, collections=collections)


def print_status(state: Status, console: Console) -> None:
    """Print the state as text: one block for each collection, then one for each source."""
    if not state.sources:
        console.print("nothing was synced yet; run `ragline sync`")
        return
    for collection in state.collections:
        console.print(f"[bold]collection {collection.collection}[/bold]")
        print_fields(console, _describe_collection(collection))
        if collection.notice is not None:
            print_indented(console, f"notice: {escape(collection.notice)}", 2)
        for alarm in collection.alarm_details:
            print_alarm(alarm, console)
    for source in state.sources:
        _print_source(source, console)


def _print_source(source: SourceStatus, console: Console) -> None:
    console.print(f"[bold]source {source.source}[/bold], collection {source.collection}")
    print_fields(console, _describe_source(source))
    for alarm in source.alarm_details:
        print_alarm(alarm, console)
    for failure in source.failures:
        text = f"{source.source}: {escape(failure.document_id)}: {escape(failure.error)}"
        print_indented(console, f"[yellow]{failure.state}[/yellow] {text}", 2)
    if source.last_error is not None:
        print_indented(console, f"[red]last sync failed[/red]: {escape(source.last_error)}", 2)


def print_alarm(alarm: Alarm, console: Console) -> None:
    """Print an alarm and, in the next line, the page of its runbook."""
    print_indented(console, f"[red]alarm[/red]: {escape(alarm.text)}", 2)
    print_indented(console, f"see {alarm.runbook}", 4)


def _describe_source(source: SourceStatus) -> list[tuple[str, str]]:
    states = list_counts((source.documents[name], name) for name in STATES)
    age = format_age(source.age_seconds)
    return [
        ("documents", f"{states or 'none'}; {count(source.entries, 'entry', 'entries')}"),
        ("listed", age if age == "never" else f"{age} ago"),
        ("visible", _describe_clock(source.visible)),
        ("forgotten", _describe_clock(source.forgotten)),
    ]


def _describe_clock(clock: Clock) -> str:
    style = CLOCK_STYLES[clock.state]
    shown = f"[{style}]{clock.state}[/{style}], limit {format_age(clock.within_seconds)}"
    if clock.waiting_seconds:
        shown += f", waiting {format_age(clock.waiting_seconds)}"
    if clock.readings.p95_seconds is not None:
        changes = count(clock.readings.count, "change")
        shown += f", p95 {format_age(clock.readings.p95_seconds)} of {changes}"
    return shown


def _describe_collection(collection: CollectionStatus) -> list[tuple[str, str]]:
    if collection.generation is None:
        return [("index", "no live generation yet")]
    documents = count(collection.documents or 0, "document")
    entries = count(collection.entries or 0, "entry", "entries")
    return [
        ("index", f"generation {collection.generation}, {documents}, {entries}"),
        ("model", escape(str(collection.embedding_model))),
    ]
