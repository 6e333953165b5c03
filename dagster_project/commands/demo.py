"""`ragline demo`: index the sample corpus and search it, from nothing to hits."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.rule import Rule

from dagster_project.commands.sync import print_outcome
from dagster_project.syncing import SyncOutcome, run_sync
from ragline.commands import configured
from ragline.commands.search import print_answer
from ragline.configuration import Configuration
from ragline.lifecycle.states import STATES
from ragline.progress import TerminalProgress
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.status import SourceStatus, read_status
from ragline.storage.database import open_database

QUESTIONS = (
    ("handbook", "When are the quiet hours in the Lisbon office?"),
    ("handbook", "how long until a deleted document is no longer found"),
    ("peps", "structural pattern matching match and case statements"),
)


@click.command()
@configured
def demo(configuration: Configuration) -> None:
    """Index the sample corpus with Dagster, then ask it three questions."""
    console = Console()
    with open_database(configuration) as database:
        names = [source.name for source in configuration.sources]
        outcome = run_sync(configuration, database, names, TerminalProgress())
        statuses = read_status(database).sources
        print_outcome(outcome, statuses, console)
        _print_totals(outcome, statuses, console)
        searcher = Searcher(database, configuration)
        for collection, question in QUESTIONS:
            console.print(Rule(f"{collection}: {question}", align="left"))
            print_answer(searcher.search(SearchRequest(collection, question, top_k=3)), console)
    _print_next(configuration.path, console)
    sys.exit(0 if outcome.ok else 1)


def _print_totals(outcome: SyncOutcome, statuses: list[SourceStatus], console: Console) -> None:
    states = {name: sum(status.documents[name] for status in statuses) for name in STATES}
    shown = ", ".join(f"{count} {name}" for name, count in states.items() if count)
    made = sum(sync.embeddings_made for sync in outcome.sources.values())
    reused = sum(sync.embeddings_reused for sync in outcome.sources.values())
    chunks = sum(sync.chunks for sync in outcome.sources.values())
    console.print(
        f"documents: {shown}\nchunks: {chunks:,}; embeddings: {made:,} made, {reused:,} reused\n"
        f"checks: {outcome.checks_passed} passed, {len(outcome.checks_failed)} did not",
        highlight=False,
    )


def _print_next(path: Path, console: Console) -> None:
    place = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    command = f"{Path(sys.argv[0]).parent.name}/ragline"
    if Path(".venv/bin/ragline").exists():
        command = ".venv/bin/ragline"
    console.print(Rule("next", align="left"))
    console.print(
        f"  {command} search --config {place} peps 'f-strings' --rerank\n"
        f"  {command} status --config {place}\n"
        f"  {command} eval --config {place} peps --golden {place.parent}/golden/peps\n"
        "  make dev      # Dagster UI on port 3000, retrieval API on port 8000",
        highlight=False,
        soft_wrap=True,
    )
