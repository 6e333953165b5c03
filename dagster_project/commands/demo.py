"""`ragline demo`: syncs the sample corpus and searches it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.rule import Rule

from dagster_project.commands.sync import print_outcome
from ragline.command_line.text_output import open_console
from ragline.commands import configured
from ragline.commands.search import print_answer
from ragline.counts import list_counts
from ragline.lifecycle.states import STATES
from ragline.search.messages import SearchRequest

if TYPE_CHECKING:
    from rich.console import Console

    from dagster_project.sync_runs import SyncOutcome
    from ragline.configuration import Configuration
    from ragline.status import SourceStatus

QUERIES = (
    ("handbook", "When are the quiet hours in the Lisbon office?"),
    ("handbook", "how long until a deleted document is no longer found"),
    ("peps", "structural pattern matching match and case statements"),
)


@click.command()
@configured
def demo(configuration: Configuration) -> None:
    """Sync the sample corpus with Dagster, then search it with three queries."""
    from dagster_project.sync_runs import run_sync
    from ragline.progress import TerminalProgress
    from ragline.search.searcher import Searcher
    from ragline.status import read_status
    from ragline.storage.database import open_database

    console = open_console()
    with open_database(configuration) as database:
        names = [source.name for source in configuration.sources]
        outcome = run_sync(configuration, database, names, TerminalProgress())
        statuses = read_status(database).sources
        print_outcome(outcome, statuses, console)
        _print_totals(outcome, statuses, console)
        searcher = Searcher(database, configuration)
        for collection, query in QUERIES:
            console.print(Rule(f"{collection}: {query}", align="left"))
            print_answer(searcher.search(SearchRequest(collection, query, top_k=3)), console)
    _print_next(configuration.path, console)
    sys.exit(0 if outcome.ok else 1)


def _print_totals(outcome: SyncOutcome, statuses: list[SourceStatus], console: Console) -> None:
    states = {name: sum(status.documents[name] for status in statuses) for name in STATES}
    shown = list_counts((number, name) for name, number in states.items())
    made = sum(sync.embeddings_made for sync in outcome.sources.values())
    reused = sum(sync.embeddings_reused for sync in outcome.sources.values())
    chunks = sum(sync.chunks for sync in outcome.sources.values())
    console.print(
        f"documents: {shown}\nchunks: {chunks:,}; embeddings: {made:,} made, {reused:,} reused\n"
        f"checks: {outcome.checks_passed} passed, {len(outcome.checks_failed)} failed"
    )


def _print_next(path: Path, console: Console) -> None:
    command, shown = name_command(), shlex.quote(str(_shorten(path)))
    golden = shlex.quote(str(_shorten(path.parent / "golden" / "peps")))
    console.print(Rule("next", align="left"))
    for line in (
        f"{command} search --config {shown} peps 'f-strings' --rerank",
        f"{command} status --config {shown}",
        f"{command} eval --config {shown} peps --golden {golden}",
        f"{command} dev --config {shown}   # Dagster UI on port 3000, page and API on port 8000",
    ):
        console.print(f"  {escape(line)}", soft_wrap=True)


def name_command() -> str:
    """The command that starts this `ragline` from the working directory."""
    program = Path(sys.argv[0]).absolute()
    if program.name != "ragline":
        return f"{shlex.quote(sys.executable)} -m ragline"
    found = shutil.which("ragline")
    if found is not None and Path(found).resolve() == program.resolve():
        return "ragline"
    return shlex.quote(str(_shorten(program)))


def _shorten(path: Path) -> Path:
    """The path relative to the working directory; unchanged if it is not below this directory."""
    here = Path(os.path.abspath("."))  # noqa: PTH100 - not `resolve`: links stay as the user wrote
    return path.relative_to(here) if path.is_relative_to(here) else path
