"""`ragline work`: does a part of a sync's work in another process, on any machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from ragline.commands import configured, json_option, print_json
from ragline.counts import count

if TYPE_CHECKING:
    from ragline.configuration import Configuration
    from ragline.lifecycle.run_context import RunContext


@dataclass(frozen=True, slots=True)
class SharedWork:
    """The part of a source's work that this process did."""

    source: str
    documents_read: int
    chunks_made: int
    embeddings_made: int
    entries_inserted: int


@click.command()
@click.argument("sources", nargs=-1)
@json_option
@configured
def work(configuration: Configuration, sources: tuple[str, ...], *, as_json: bool) -> None:
    """Help with a sync of SOURCES, or of all sources, until no work is left.

    Another process runs the sync. Only the process of the sync lists the sources and publishes the
    result.
    """
    names = list(sources) or [source.name for source in configuration.sources]
    for name in names:
        configuration.source(name)
    from ragline.lifecycle.run_context import RunContext
    from ragline.progress import TerminalProgress
    from ragline.storage.database import open_database

    with (
        open_database(configuration) as database,
        RunContext(configuration, database, f"work-{uuid4()}", TerminalProgress()) as run_context,
    ):
        done = [_share(run_context, name) for name in names]
    if as_json:
        print_json({"sources": [asdict(one) for one in done]})
        return
    for one in done:
        click.echo(
            f"{one.source}: {count(one.documents_read, 'document')} read, "
            f"{count(one.chunks_made, 'chunk')} made, "
            f"{count(one.embeddings_made, 'embedding')} made, "
            f"{count(one.entries_inserted, 'entry', 'entries')} written"
        )


def _share(run_context: RunContext, name: str) -> SharedWork:
    from ragline.lifecycle.chunks import build_chunks
    from ragline.lifecycle.documents import read_documents
    from ragline.lifecycle.embeddings import embed_chunks
    from ragline.lifecycle.entries import apply_entries

    return SharedWork(
        source=name,
        documents_read=read_documents(run_context, name).documents,
        chunks_made=build_chunks(run_context, name).chunks_made,
        embeddings_made=embed_chunks(run_context, name).embeddings_made,
        entries_inserted=apply_entries(run_context, name).inserted,
    )
