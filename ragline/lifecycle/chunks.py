"""The second stage of a sync: it splits the parses of a source into chunks.

Each generation has its own chunker. An open generation is one that the run works on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, Row

from ragline.chunking import Chunk, chunk_document
from ragline.errors import ChunkingError
from ragline.fingerprints import hash_text
from ragline.lifecycle.claims import ClaimCursor, work_until_done
from ragline.lifecycle.entries import serve_live
from ragline.lifecycle.generations import Generation, count_chunks
from ragline.lifecycle.ledger import record_chunking_failure
from ragline.lifecycle.open_generations import open_generations, run_for_each
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.source_stage import Stage, open_stage
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
    """The result of the stage `chunk` for one source.

    `documents` and `chunks` count the source's documents and chunks that the target generation
    should contain. The target generation is the one that the configuration requires. `chunks_made`
    counts the chunks that this run made for all open generations.
    """

    documents: int
    chunks: int
    chunks_made: int
    seconds: float


def build_chunks(run_context: RunContext, source_name: str) -> ChunksReport:
    """Chunk the parses of a source that the chunker of an open generation has not chunked yet.

    The live generation comes first. Its vectors and entries are written before the chunks of other
    generations are made, because a build can take hours. If a generation fails, for example because
    its tokenizer cannot be loaded, the others are still chunked. The error is stored in
    `run_context.failures`.
    """
    started = perf_counter()
    stage = open_stage(run_context, source_name)
    chunkers = {one.id: _Chunker(stage, one) for one in stage.generations.in_work_order}

    def chunk(generation: Generation) -> None:
        chunkers[generation.id].chunk_all(stage.make_pause_check(generation))

    first, *others = stage.generations.in_work_order
    run_for_each(run_context, [first], chunk)
    if others and first.state == "live":
        serve_live(stage, first)
    run_for_each(run_context, others, chunk)
    made = sum(chunker.chunks_made for chunker in chunkers.values())
    with run_context.database.connect() as connection:
        documents, chunks = count_chunks(connection, stage.source_id, stage.generations.reported)
    report = ChunksReport(documents, chunks, made, perf_counter() - started)
    record_counts(run_context, stage.source_id, report, report.seconds)
    return report


def chunk_generation(stage: Stage, generation: Generation, should_pause: Callable[[], bool]) -> int:
    """Chunk every parse of a source for one generation; return the number of chunks made.

    Raises:
        ChunkingError: another generation is live, and some parses cannot be chunked. All other
            parses are chunked.
    """
    chunker = _Chunker(stage, generation)
    chunker.chunk_all(should_pause)
    return chunker.chunks_made


@dataclass
class _Chunker:
    """A worker that chunks the parses of a source for one generation.

    Each transaction chunks at most COMMIT_PARSES parses. If a parse cannot be chunked and
    no other generation is live, the documents of the parse fail. If another generation is live,
    these documents do not fail, because searches find them in the live generation. Then only the
    build of the new generation fails.
    """

    stage: Stage
    generation: Generation
    chunks_made: int = 0
    _failed_parses: dict[int, ChunkingError] = field(default_factory=dict)
    _cursor: ClaimCursor[Row[Any], int] = field(
        default_factory=lambda: ClaimCursor(0, lambda parse: parse.id)
    )

    def chunk_all(self, should_pause: Callable[[], bool]) -> None:
        """Chunk every parse that is left. Generations with equal chunkers share their chunks.

        Raises:
            ChunkingError: another generation is live, and some parses cannot be chunked. All other
                parses are chunked.
        """
        self.stage.show_batches(
            self._chunk_counts(should_pause), "chunk", total=None, unit="chunks"
        )
        if self._failed_parses:
            raise self._describe_failures()

    def _chunk_counts(self, should_pause: Callable[[], bool]) -> Iterator[int]:
        """Chunk every parse that is left; yield the number of chunks of each batch."""
        if self.count_left() == 0:
            return
        # The tokenizer is loaded before the first transaction claims rows, because other workers
        # wait for claimed rows.
        self.stage.run_context.tokenizer(self.generation.model)
        before = self.chunks_made
        for _ in work_until_done(self.chunk_batch, self.count_left, should_pause):
            yield self.chunks_made - before
            before = self.chunks_made

    def chunk_batch(self) -> int:
        """Claim some parses, chunk them and store the chunks; return the number of parses."""
        with self.stage.run_context.database.begin() as connection:
            statement = load_statement("lifecycle/claim_unchunked_parses")
            parses = self._cursor.fetch(
                lambda after: connection.execute(
                    statement, self._parameters(limit=COMMIT_PARSES, after=after)
                ).all()
            )
            results = {parse.id: self._chunk(parse) for parse in parses}
            made = {key: chunks for key, chunks in results.items() if isinstance(chunks, list)}
            self.chunks_made += _store_chunks(connection, self.generation, made)
            for key, error in results.items():
                if isinstance(error, ChunkingError):
                    self._record_failure(connection, key, error)
        return len(parses)

    def _record_failure(self, connection: Connection, parse_id: int, error: ChunkingError) -> None:
        if self.stage.is_background_build(self.generation):
            self._failed_parses[parse_id] = error
        else:
            record_chunking_failure(connection, parse_id, error)

    def _describe_failures(self) -> ChunkingError:
        key, error = next(iter(self._failed_parses.items()))
        statement = load_statement("lifecycle/select_documents_of_parse")
        with self.stage.run_context.database.begin() as connection:
            rows = connection.execute(statement, {"parse_id": key}).all()
        name = rows[0].document_id if rows else "a document that has left the source"
        return ChunkingError(
            f"{len(self._failed_parses)} documents cannot be chunked as the settings ask for, "
            f"first {name}: {error}; the live generation still serves them"
        )

    def count_left(self) -> int:
        return self.stage.count("lifecycle/count_unchunked_parses", self._parameters())

    def _chunk(self, parse: Row[tuple[object, ...]]) -> list[Chunk] | ChunkingError:
        tokenizer = self.stage.run_context.tokenizer(self.generation.model)
        try:
            return chunk_document(read_parse(parse), self.generation.chunking, tokenizer)
        except Exception as error:  # noqa: BLE001  an error of one parse must not stop the others
            return ChunkingError(f"its text cannot be chunked: {type(error).__name__}: {error}")

    def _parameters(self, **more: int) -> dict[str, object]:
        return {
            "source_id": self.stage.source_id,
            "chunker_fingerprint": self.generation.chunker_fingerprint,
            "failed_parses": list(self._failed_parses),
            **more,
        }


def read_parse(row: Row[tuple[object, ...]]) -> ParsedDocument:
    """Return a stored parse as the parser returned it.

    `row` has the columns text, elements, file_type and title.
    """
    elements = tuple(Element.from_json(element) for element in row.elements)
    return ParsedDocument(row.text, elements, row.file_type, title=row.title)


def _store_chunks(
    connection: Connection, generation: Generation, made: dict[int, list[Chunk]]
) -> int:
    parameters = {
        "parse_ids": list(made),
        "chunk_counts": [len(chunks) for chunks in made.values()],
        "chunker_fingerprint": generation.chunker_fingerprint,
    }
    inserted = connection.execute(load_statement("lifecycle/insert_chunkings"), parameters).all()
    rows = (_chunk_row(key, chunk) for parse_id, key in inserted for chunk in made[parse_id])
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
    """Return the token counts of a source's chunks in the target generation, at most 20,000."""
    settings = run_context.configuration.source(source_name)
    reported = open_generations(run_context, settings.collection).reported
    parameters = {"source": source_name, "chunker_fingerprint": reported.chunker_fingerprint}
    with run_context.database.connect() as connection:
        rows = connection.execute(load_statement("lifecycle/select_token_counts"), parameters)
        return [row.token_count for row in rows]
