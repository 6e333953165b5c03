"""The second stage: cut the parses of a source with the chunker of each open generation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from sqlalchemy import Connection, Row

from ragline.chunking import Chunk, chunk_document
from ragline.fingerprints import hash_text
from ragline.lifecycle.generations import Generation, open_generations
from ragline.lifecycle.ledger import register_source
from ragline.lifecycle.source_syncs import record_counts
from ragline.lifecycle.workshop import Workshop
from ragline.parsing.parsed_document import Element, ParsedDocument
from ragline.storage.database import copy_rows
from ragline.storage.statements import load_statement

COMMIT_PARSES = 50
CHUNK_COLUMNS = (
    ("chunking_id", "bigint"),
    ("ordinal", "integer"),
    ("header", "text"),
    ("text", "text"),
    ("text_hash", "bytea"),
    ("heading_path", "text[]"),
    ("page", "integer"),
    ("char_start", "integer"),
    ("char_end", "integer"),
    ("token_count", "integer"),
)


@dataclass(frozen=True, slots=True)
class ChunksReport:
    """`documents` and `chunks` are what the target generation wants of the source now;
    `chunks_made` is what this run had to cut, over all open generations.
    """

    documents: int
    chunks: int
    chunks_made: int
    seconds: float


def build_chunks(workshop: Workshop, source_name: str) -> ChunksReport:
    """Cut every parse of a source that an open generation's chunker has not cut yet."""
    started = perf_counter()
    settings = workshop.configuration.source(source_name)
    generations = open_generations(workshop, settings.collection)
    with workshop.database.begin() as connection:
        source_id = register_source(connection, settings).id
    made = 0
    with workshop.progress.stage(f"{source_name}: chunk", total=None, unit="chunks") as advance:
        for generation in _one_per_chunker(generations):
            for count in _chunk_parses(workshop, source_id, generation):
                made += count
                advance(count)
    documents, chunks = count_chunks(workshop, source_id, generations[-1])
    report = ChunksReport(documents, chunks, made, perf_counter() - started)
    record_counts(workshop, source_id, report, report.seconds)
    return report


def count_chunks(workshop: Workshop, source_id: int, generation: Generation) -> tuple[int, int]:
    """How many documents and chunks of a source a generation wants."""
    parameters = {"source_id": source_id, "chunker_fingerprint": generation.chunker_fingerprint}
    with workshop.database.connect() as connection:
        row = connection.execute(load_statement("lifecycle/count_chunks"), parameters).one()
    return row.documents, row.chunks


def _one_per_chunker(generations: Iterable[Generation]) -> list[Generation]:
    return list({generation.chunker_fingerprint: generation for generation in generations}.values())


def _chunk_parses(workshop: Workshop, source_id: int, generation: Generation) -> Iterator[int]:
    """Cut the waiting parses COMMIT_PARSES at a time; yield the chunks made by each commit."""
    parameters = {
        "source_id": source_id,
        "chunker_fingerprint": generation.chunker_fingerprint,
        "limit": COMMIT_PARSES,
    }
    statement = load_statement("lifecycle/select_unchunked_parses")
    while True:
        with workshop.database.begin() as connection:
            parses = connection.execute(statement, parameters).all()
            if not parses:
                return
            yield _store_chunks(connection, generation, _cut(workshop, generation, parses))


def _cut(
    workshop: Workshop, generation: Generation, parses: Sequence[Row[tuple[object, ...]]]
) -> dict[int, list[Chunk]]:
    tokenizer = workshop.tokenizer(generation.model)
    return {
        parse.id: chunk_document(read_parse(parse), generation.chunking, tokenizer)
        for parse in parses
    }


def read_parse(row: Row[tuple[object, ...]]) -> ParsedDocument:
    """A stored parse (text, elements, file_type, title) as its reader made it."""
    elements = tuple(Element.from_json(element) for element in row.elements)
    return ParsedDocument(row.text, elements, row.file_type, title=row.title)


def _store_chunks(
    connection: Connection, generation: Generation, cut: dict[int, list[Chunk]]
) -> int:
    parameters = {
        "parse_ids": list(cut),
        "chunk_counts": [len(chunks) for chunks in cut.values()],
        "chunker_fingerprint": generation.chunker_fingerprint,
    }
    opened = connection.execute(load_statement("lifecycle/insert_chunkings"), parameters).all()
    rows = (_chunk_row(key, chunk) for parse_id, key in opened for chunk in cut[parse_id])
    return copy_rows(connection, "ragline.chunks", CHUNK_COLUMNS, rows)


def _chunk_row(chunking_id: int, chunk: Chunk) -> tuple[object, ...]:
    return (
        chunking_id,
        chunk.ordinal,
        chunk.embedded_text.removesuffix(chunk.text),
        chunk.text,
        hash_text(chunk.embedded_text),
        list(chunk.heading_path),
        chunk.page,
        chunk.char_start,
        chunk.char_end,
        chunk.token_count,
    )


def read_token_counts(workshop: Workshop, source_name: str) -> list[int]:
    """The token counts of a source's chunks in the target generation, at most 20,000 of them."""
    settings = workshop.configuration.source(source_name)
    target = open_generations(workshop, settings.collection)[-1]
    parameters = {"source": source_name, "chunker_fingerprint": target.chunker_fingerprint}
    with workshop.database.connect() as connection:
        rows = connection.execute(load_statement("lifecycle/select_token_counts"), parameters)
        return [row.token_count for row in rows]
