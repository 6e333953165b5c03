"""The second stage: cut the parses of a source with the chunker of each open generation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, Row

from ragline.chunking import Chunk, chunk_document
from ragline.errors import ChunkingError
from ragline.fingerprints import hash_text
from ragline.lifecycle.build_slices import begin_slice
from ragline.lifecycle.claims import Turn, drain
from ragline.lifecycle.generations import (
    Generation,
    count_chunks,
    open_collection,
    work_on_each,
)
from ragline.lifecycle.ledger import record_uncut, register_source
from ragline.lifecycle.live_service import serve_live
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.source_syncs import record_counts
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


def build_chunks(run_context: RunContext, source_name: str) -> ChunksReport:
    """Cut every parse of a source that an open generation's chunker has not cut yet.

    What searches see comes first: where others follow, the live generation is served to the end
    before. A generation that fails, its tokenizer gone, fails alone: its error is in
    `run_context.failures`.
    """
    started = perf_counter()
    settings = run_context.configuration.source(source_name)
    opened = open_collection(run_context, settings.collection)
    with run_context.database.begin() as connection:
        source_id = register_source(connection, settings).id
    cutters = {
        generation.id: _Cutter(
            run_context, source_id, generation, is_beside_live=opened.is_beside_live(generation)
        )
        for generation in opened.in_order
    }

    def cut(generation: Generation) -> None:
        is_over = begin_slice(run_context, source_name, opened, generation)
        name = f"{source_name}: chunk"
        with run_context.progress.stage(name, total=None, unit="chunks") as advance:
            cutters[generation.id].cut_all(advance, is_over)

    first, *others = opened.in_order
    work_on_each(run_context, [first], cut)
    if others and first.state == "live":
        serve_live(run_context, source_name, source_id, first)
    work_on_each(run_context, others, cut)
    made = sum(cutter.chunks_made for cutter in cutters.values())
    documents, chunks = count_chunks(run_context, source_id, opened.reported)
    report = ChunksReport(documents, chunks, made, perf_counter() - started)
    record_counts(run_context, source_id, report, report.seconds)
    return report


@dataclass
class _Cutter:
    """One worker's cutting of a source for one chunker, COMMIT_PARSES at a time.

    A parse that cannot be cut is its documents' fault where searches see the generation or will see
    it first. Beside a live one it is the build's: the documents are served, and stay so.
    """

    run_context: RunContext
    source_id: int
    generation: Generation
    is_beside_live: bool = False
    chunks_made: int = 0
    _refused: dict[int, ChunkingError] = field(default_factory=dict)
    _turn: Turn[Row[Any], int] = field(default_factory=lambda: Turn(0, lambda parse: parse.id))

    def cut_all(self, advance: Callable[[int], None], is_over: Callable[[], bool]) -> None:
        """Cut all that is left; nothing is where another generation has the same chunker.

        Raises:
            ChunkingError: beside a live generation, documents cannot be cut; the others are.
        """
        if self.count_left() == 0:
            return
        # Before the first transaction: whoever waits for its rows would wait for the load too.
        self.run_context.tokenizer(self.generation.model)
        shown = 0
        for _ in drain(self.cut_batch, self.count_left, is_over):
            advance(self.chunks_made - shown)
            shown = self.chunks_made
        if self._refused:
            raise self._describe_refused()

    def cut_batch(self) -> int:
        """Claim, cut and store some parses; how many."""
        with self.run_context.database.begin() as connection:
            statement = load_statement("lifecycle/select_unchunked_parses")
            parses = self._turn.take(
                lambda after: connection.execute(
                    statement, self._parameters(limit=COMMIT_PARSES, after=after)
                ).all()
            )
            cut = {parse.id: self._cut(parse) for parse in parses}
            made = {key: chunks for key, chunks in cut.items() if isinstance(chunks, list)}
            self.chunks_made += _store_chunks(connection, self.generation, made)
            for key, error in cut.items():
                if isinstance(error, ChunkingError) and self.is_beside_live:
                    self._refused[key] = error
                elif isinstance(error, ChunkingError):
                    record_uncut(connection, key, error)
        return len(parses)

    def _describe_refused(self) -> ChunkingError:
        key, error = next(iter(self._refused.items()))
        statement = load_statement("lifecycle/select_documents_of_parse")
        with self.run_context.database.begin() as connection:
            rows = connection.execute(statement, {"parse_id": key}).all()
        name = rows[0].document_id if rows else "a document that has left the source"
        return ChunkingError(
            f"{len(self._refused)} documents cannot be cut as the settings ask for, first {name}: "
            f"{error}; they are served as they were cut before"
        )

    def count_left(self) -> int:
        statement = load_statement("lifecycle/count_unchunked_parses")
        with self.run_context.database.connect() as connection:
            return int(connection.execute(statement, self._parameters()).scalar_one())

    def _cut(self, parse: Row[tuple[object, ...]]) -> list[Chunk] | ChunkingError:
        tokenizer = self.run_context.tokenizer(self.generation.model)
        try:
            return chunk_document(read_parse(parse), self.generation.chunking, tokenizer)
        except Exception as error:  # noqa: BLE001  whatever it is, it is this document's
            return ChunkingError(f"its text cannot be cut: {type(error).__name__}: {error}")

    def _parameters(self, **more: int) -> dict[str, object]:
        return {
            "source_id": self.source_id,
            "chunker_fingerprint": self.generation.chunker_fingerprint,
            "refused": list(self._refused),
            **more,
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


def read_token_counts(run_context: RunContext, source_name: str) -> list[int]:
    """The token counts of a source's chunks in the target generation, at most 20,000 of them."""
    settings = run_context.configuration.source(source_name)
    reported = open_collection(run_context, settings.collection).reported
    parameters = {"source": source_name, "chunker_fingerprint": reported.chunker_fingerprint}
    with run_context.database.connect() as connection:
        rows = connection.execute(load_statement("lifecycle/select_token_counts"), parameters)
        return [row.token_count for row in rows]
