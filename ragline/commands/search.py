"""`ragline search`: searches a collection from the command line."""

from __future__ import annotations

from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from ragline.command_line.search_options import (
    SearchCommand,
    filter_option,
    min_confidence_option,
    mode_option,
    principal_option,
    rerank_option,
    top_k_option,
)
from ragline.command_line.text_output import open_console, print_headline, print_indented
from ragline.commands import configured, json_option, print_json
from ragline.counts import count
from ragline.errors import ModelUnavailableError
from ragline.search.messages import (
    Hit,
    HitExplanation,
    Mode,
    SearchAnswer,
    SearchRequest,
)

if TYPE_CHECKING:
    from rich.console import Console

    from ragline.configuration import Configuration
    from ragline.model_cache import ModelCache

SHOWN_CHARS = 240


@click.command(cls=SearchCommand)
@click.argument("collection")
@click.argument("query")
@top_k_option
@mode_option
@rerank_option
@principal_option
@filter_option
@min_confidence_option
@click.option("--explain", is_flag=True, help="Show the parts of each hit's score.")
@json_option
@configured
def search(
    configuration: Configuration,
    collection: str,
    query: str,
    top_k: int,
    mode: Mode,
    principals: tuple[str, ...],
    filter_: dict[str, Any] | None,
    min_confidence: float | None,
    *,
    rerank: bool,
    explain: bool,
    as_json: bool,
) -> None:
    """Search COLLECTION for QUERY and print the hits with their receipts."""
    from ragline.search.empty_queries import refuse_empty

    refuse_empty((query,))
    request = SearchRequest(
        collection, query, top_k, mode, rerank, principals,
        filter=filter_, explain=explain, min_confidence=min_confidence,
    )  # fmt: skip
    answer = _search(configuration, request)
    if as_json:
        print_json(answer)
    else:
        print_answer(answer, open_console(), is_rated=min_confidence is not None)


def _search(configuration: Configuration, request: SearchRequest) -> SearchAnswer:
    from ragline.model_cache import ModelCache
    from ragline.search.searcher import Searcher
    from ragline.storage.database import open_database

    models = ModelCache(configuration.home / "models")
    if request.mode != "keyword":
        _load_ahead(models, configuration, request.collection)
    with open_database(configuration) as database:
        return Searcher(database, configuration, models=models).search(request)


def _load_ahead(models: ModelCache, configuration: Configuration, collection: str) -> None:
    """Load the collection's model while the database is opened, which saves half a second.

    An error of the model is ignored here, because the search raises it again.
    """
    names = {each.name: each.embedding_model for each in configuration.collections}
    if collection not in names or not (configuration.home / "models").is_dir():
        return  # nothing was embedded yet, so there is no index, and no model is needed

    def load() -> None:
        with suppress(ModelUnavailableError):
            models.embedder(names[collection]).embed_query("warm")

    Thread(target=load, name="load-model").start()


def print_answer(answer: SearchAnswer, console: Console, *, is_rated: bool = False) -> None:
    """Print an answer as text: a few lines for each hit, with its receipt.

    `is_rated` says that the caller stated a `min_confidence`.
    """
    for hit in answer.hits:
        print_headline(console, _headline(hit), 3)
        print_indented(console, escape(_shorten(hit.text or "")), 3)
        if hit.explanation is not None:
            print_indented(console, escape(describe_score(hit.explanation)), 3)
        print_indented(console, f"[dim]{escape(describe_receipt(hit))}[/dim]", 3)
    if answer.plan is not None:
        plan = answer.plan
        matching = "" if plan.matching is None else f" ({count(plan.matching, 'chunk')})"
        console.print(
            f"[dim]plan: vector leg {plan.vector}; filter {plan.filter}{matching}; at most "
            f"{count(plan.depth, 'candidate')} from each leg[/dim]"
        )
    if answer.has_found_nothing:
        console.print("nothing found")
    if answer.is_abstained:
        console.print("nothing good found")
    if answer.confidence_note is not None and (is_rated or _should_print_note(answer)):
        console.print(f"[dim]{escape(answer.confidence_note)}[/dim]")
    took = answer.took_ms
    console.print(
        f"[dim]{count(len(answer.hits), 'hit')} in {took.total:.0f} ms (embed {took.embed:.0f}, "
        f"retrieve {took.retrieve:.0f}, rerank {took.rerank:.0f}); "
        f"generation {answer.generation}[/dim]"
    )


def _should_print_note(answer: SearchAnswer) -> bool:
    """Whether to print the note although the caller stated no `min_confidence`.

    In a collection without a calibration, the note would be part of each answer. So it is printed
    only with `--explain`, or if a setting has no effect. A note about removed hits is always
    printed.
    """
    has_confidence = answer.best_confidence is not None
    is_explained = answer.plan is not None
    return has_confidence or is_explained or answer.is_minimum_ignored


def describe_receipt(hit: Hit) -> str:
    """Describe the receipt of a hit in one line."""
    receipt = hit.receipt
    return (
        f"receipt: {hit.source} · sha256 {receipt.content_hash[:12]} · generation "
        f"{receipt.generation} · run {receipt.run_id[:8]} · indexed "
        f"{receipt.indexed_at:%Y-%m-%d %H:%M} UTC"
    )


def describe_score(found: HitExplanation) -> str:
    """Describe the parts of a hit's score in one line."""
    legs = [
        _describe_leg("vector", found.vector_part, found.vector_score, found.vector_rank, "cosine"),
        _describe_leg(
            "keyword", found.keyword_part, found.keyword_score, found.keyword_rank, "BM25"
        ),
    ]
    line = f"score: {found.fused_score:.3f} = " + " + ".join(legs)
    if found.rerank_part is None or found.fused_part is None or found.rerank_score is None:
        return line
    return (
        f"{line}; reranked {found.final_score:.3f} = {found.fused_part:.3f} fused + "
        f"{found.rerank_part:.3f} reranker ({found.rerank_score:.3f})"
    )


def _describe_leg(
    leg: str, part: float | None, score: float | None, rank: int | None, unit: str
) -> str:
    if part is None or score is None:
        return f"0 {leg} (not found)"
    return f"{part:.3f} {leg} ({unit} {score:.3f}, rank {rank})"


def _headline(hit: Hit) -> str:
    heading = " › ".join(hit.heading_path) or hit.title or ""
    page = f" p. {hit.page}" if hit.page is not None else ""
    name = escape(f"{hit.document_id}{page}")
    sure = "" if hit.confidence is None else f" (confidence {hit.confidence:.2f})"
    return f"{hit.rank:>2} [bold]{name}[/bold] {hit.score:.3f}{sure} {escape(heading)}"


def _shorten(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= SHOWN_CHARS else flat[:SHOWN_CHARS].rstrip() + " …"
