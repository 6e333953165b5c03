"""`ragline search`: ask a collection from the command line."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape

from ragline.commands import configured, json_option, print_json
from ragline.configuration import Configuration
from ragline.search.messages import MODES, Hit, Mode, SearchAnswer, SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import open_database

SHOWN_CHARS = 240


@click.command()
@click.argument("collection")
@click.argument("query")
@click.option("--top-k", default=10, show_default=True, type=click.IntRange(1, 1000))
@click.option("--mode", default="hybrid", show_default=True, type=click.Choice(MODES))
@click.option("--rerank", is_flag=True, help="Reorder the first hits by late interaction.")
@click.option(
    "--principal",
    "principals",
    multiple=True,
    help="Who asks; may be repeated. Documents that name their readers are found by those alone.",
)
@json_option
@configured
def search(
    configuration: Configuration,
    collection: str,
    query: str,
    top_k: int,
    mode: Mode,
    principals: tuple[str, ...],
    *,
    rerank: bool,
    as_json: bool,
) -> None:
    """Search COLLECTION for QUERY and show the hits with their receipts."""
    request = SearchRequest(collection, query, top_k, mode, rerank, principals)
    with open_database(configuration) as database:
        answer = Searcher(database, configuration).search(request)
    if as_json:
        print_json(answer)
    else:
        print_answer(answer, Console())


def print_answer(answer: SearchAnswer, console: Console) -> None:
    """Show an answer to a person: a few lines a hit, and where each came from."""
    for hit in answer.hits:
        console.print(_headline(hit), highlight=False)
        console.print(f"   {escape(_shorten(hit.text or ''))}", highlight=False)
        console.print(f"   [dim]{escape(describe_receipt(hit))}[/dim]", highlight=False)
    if not answer.hits:
        console.print("nothing found")
    took = answer.took_ms
    console.print(
        f"[dim]{len(answer.hits)} hits in {took.total:.0f} ms (embed {took.embed:.0f}, retrieve "
        f"{took.retrieve:.0f}, rerank {took.rerank:.0f}); generation {answer.generation}[/dim]",
        highlight=False,
    )


def describe_receipt(hit: Hit) -> str:
    """One line that says what produced a hit."""
    receipt = hit.receipt
    return (
        f"receipt: {hit.source} · sha256 {receipt.content_hash[:12]} · generation "
        f"{receipt.generation} · run {receipt.run_id[:8]} · indexed "
        f"{receipt.indexed_at:%Y-%m-%d %H:%M} UTC"
    )


def _headline(hit: Hit) -> str:
    place = " › ".join(hit.heading_path) or hit.title or ""
    page = f" p. {hit.page}" if hit.page is not None else ""
    name = escape(f"{hit.document_id}{page}")
    return f"{hit.rank:>2} [bold]{name}[/bold] {hit.score:.3f} {escape(place)}"


def _shorten(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= SHOWN_CHARS else flat[:SHOWN_CHARS].rstrip() + " …"
