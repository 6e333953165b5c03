"""`ragline explain`: explains why a document is or is not a hit of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from ragline.command_line.search_options import (
    SearchCommand,
    filter_option,
    mode_option,
    principal_option,
    rerank_option,
    top_k_option,
)
from ragline.command_line.text_output import open_console
from ragline.commands import configured, json_option, print_json
from ragline.search.messages import Mode, SearchRequest

if TYPE_CHECKING:
    from rich.console import Console

    from ragline.configuration import Configuration
    from ragline.search.explanation_messages import DocumentExplanation, StageRank

UNITS = {"vector": "cosine", "keyword": "BM25"}
NAMES = {"first_fusion": "before feedback", "fusion": "fused"}


@click.command(cls=SearchCommand)
@click.argument("collection")
@click.argument("query")
@click.argument("document_id")
@click.option(
    "--source",
    help="Source of the document. It is needed if several sources have this document id.",
)
@top_k_option
@mode_option
@rerank_option
@principal_option
@filter_option
@json_option
@configured
def explain(
    configuration: Configuration,
    collection: str,
    query: str,
    document_id: str,
    source: str | None,
    top_k: int,
    mode: Mode,
    principals: tuple[str, ...],
    filter_: dict[str, Any] | None,
    *,
    rerank: bool,
    as_json: bool,
) -> None:
    """Explain why DOCUMENT_ID is or is not a hit when COLLECTION is searched for QUERY.

    Use the options of the search that you want to explain.
    """
    from ragline.search.document_explanation import explain_document
    from ragline.search.searcher import Searcher
    from ragline.storage.database import open_database

    request = SearchRequest(collection, query, top_k, mode, rerank, principals, filter=filter_)
    with open_database(configuration) as database:
        found = explain_document(
            Searcher(database, configuration), request, document_id, source, reveals_hidden=True
        )
    if as_json:
        print_json(found)
    else:
        print_explanation(found, open_console())


def print_explanation(found: DocumentExplanation, console: Console) -> None:
    """Print an explanation as text: the answer first, then its reasons."""
    lines = [f"[bold]{escape(found.answer)}[/bold]", f"state: {_describe_state(found)}"]
    lines += [
        f"excluded by {escape(obstacle.place or obstacle.limit)}: {escape(str(obstacle.condition))}"
        for obstacle in found.obstacles
        if obstacle.condition is not None
    ]
    lines += [_describe_stage(stage) for stage in found.stages]
    if found.words:
        words = [f"{word.word} ({word.entry_count})" for word in found.words if word.is_in_document]
        lines.append(
            f"words in the document (and chunks with them): {escape(', '.join(words) or 'none')}"
        )
        lines.append(
            f"words not in the document: {escape(', '.join(found.missing_words) or 'none')}"
        )
        if partial := found.list_partial_words():
            lines.append(f"parts of these words in it: {escape('; '.join(partial))}")
    if found.best_chunk is not None:
        headings = " › ".join(found.best_chunk.heading_path)
        text = " ".join(found.best_chunk.text.split())[:240]
        lines.append(escape(f"best chunk: {found.best_chunk.ordinal} {headings}"))
        lines.append(f"   {escape(text)}")
    for line in lines:
        console.print(line)


def _describe_state(found: DocumentExplanation) -> str:
    document = found.document
    error = f"; {document.error_name}: {document.error}" if document.error_name else ""
    return escape(f"{document.state}, {document.chunks} chunks served{error}")


def _describe_stage(stage: StageRank) -> str:
    name = NAMES.get(stage.stage, stage.stage)
    if stage.rank is None or stage.score is None:
        return f"{name}: not found"
    last = f" (the first {stage.last_rank} reach the next stage)" if stage.last_rank else ""
    part = "" if stage.part is None else f", {stage.part:.3f} of the score"
    unit = UNITS.get(stage.stage, "score")
    return f"{name}: rank {stage.rank}{last}, {unit} {stage.score:.3f}{part}"
