"""Builds generations with other chunk sizes in a scratch database, where no search uses them.

The scratch database receives the documents of the collection, their stored parses and the vectors
of the live generation. No source is read. The functions of a sync chunk, embed and index there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ragline.configuration import ChunkingSettings, CollectionSettings
from ragline.errors import IncompleteGenerationError
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.embeddings import embed_chunks
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.search_index import publish_index
from ragline.storage.database import Database
from ragline.storage.generation_tables import entries_table
from ragline.storage.schema import (
    collections,
    documents,
    embedding_spaces,
    embeddings,
    parses,
    sources,
)
from ragline.storage.scratch_database import copy_table, open_scratch_database
from ragline.storage.statements import load_statement
from ragline.tuning.measurement import MeasuredIndex

ALTERNATIVE = "run `ragline tune` without `--chunking`"


@contextmanager
def open_trial_index(index: MeasuredIndex, collection: str) -> Iterator[MeasuredIndex]:
    """Copy a collection without its generations to a scratch database, and yield this database.

    The scratch database is dropped after the block.

    Raises:
        DatabaseUnavailableError: the user may not create the scratch database or its extension.
    """
    with open_scratch_database(index.database, ALTERNATIVE) as scratch:
        _copy_collection(index.database, scratch, collection)
        yield replace(index, database=scratch)


def build_trial(
    index: MeasuredIndex, settings: CollectionSettings, chunking: ChunkingSettings
) -> int:
    """Build a generation with other chunks in a scratch database; return the generation's id.

    Raises:
        IncompleteGenerationError: documents are missing after the build, or the build failed.
    """
    changed = _describe_trial(settings, chunking)
    configuration = index.configuration.replace_collection(changed)
    with RunContext(configuration, index.database, "tuning", index.progress) as run_context:
        run_context.models = index.models
        for source in configuration.sources_of(settings.name):
            for stage in (build_chunks, embed_chunks, apply_entries):
                stage(run_context, source.name)
        report = publish_index(run_context, settings.name)
    if not report.is_live:
        raise IncompleteGenerationError(
            f"the trial index of {settings.name} with chunks of {chunking.max_tokens} tokens is "
            f"not complete: {report.reason}; repair the collection with `ragline sync`, then try "
            "again"
        )
    return report.generation


def _copy_collection(source: Database, target: Database, collection: str) -> None:
    """Copy what a build needs: collection, sources, readable documents, parses and vectors."""
    with source.begin() as read, target.begin() as written:
        row = read.execute(load_statement("tuning/select_live"), {"collection": collection}).one()
        own = f"collection_id = {int(row.collection_id)}"
        read_documents = (
            f"source_id in (select id from ragline.sources where {own}) "
            "and parse_id is not null and state not in ('missing', 'removed')"
        )
        used_parses = f"id in (select parse_id from ragline.documents where {read_documents})"
        space = f"embedding_space_id = {int(row.embedding_space_id)}"
        texts = f"text_hash in (select text_hash from ragline.{entries_table(row.generation_id)})"
        copy_table(
            read, written, collections, f"id = {int(row.collection_id)}",
            without=frozenset({"live_generation_id"}),
        )  # fmt: skip
        copy_table(read, written, sources, own)
        copy_table(read, written, parses, used_parses)
        copy_table(read, written, documents, read_documents)
        copy_table(read, written, embedding_spaces, f"id = {int(row.embedding_space_id)}")
        copy_table(read, written, embeddings, f"{space} and {texts}")


def _describe_trial(settings: CollectionSettings, chunking: ChunkingSettings) -> CollectionSettings:
    # The settings contain no golden set and require no approval, so that a sync promotes the
    # generation.
    return CollectionSettings(
        name=settings.name,
        embedding_model=settings.embedding_model,
        chunking=chunking,
        language=settings.language,
        build="automatic",
        hnsw_from_entries=settings.hnsw_from_entries,
        vector_index=settings.vector_index,
    )
