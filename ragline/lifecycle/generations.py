"""Generations: one built index of a collection, by (embedding space, chunker, language).

Opens the generation that the configuration asks for, says which ones receive changes, and
promotes, retires and drops them. What is in one is `entries`; what may be promoted is decided
in `search_index`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from ragline.chunking import chunker_fingerprint
from ragline.configuration import ChunkingSettings, CollectionSettings
from ragline.embedder.space import EmbeddingSpace
from ragline.lifecycle.ledger import register_collection
from ragline.lifecycle.workshop import Workshop
from ragline.storage.generation_tables import create_entries_table, drop_entries_table
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class Generation:
    """One row of `generations`, with the space it embeds in."""

    id: int
    state: str
    embedding_space_id: int
    space_fingerprint: str
    model: str
    dimension: int
    chunker_fingerprint: str
    chunking: ChunkingSettings
    language: str
    entry_count: int
    lexeme_count: int
    weighted_length: float | None
    retired_at: datetime | None

    @property
    def average_length(self) -> float:
        """Lexemes per entry, as BM25 counts them; 1 for an empty generation."""
        return self.lexeme_count / self.entry_count if self.entry_count else 1.0


def open_target_generation(workshop: Workshop, collection_name: str) -> Generation:
    """The generation that the configuration asks for, made when it does not exist yet.

    May run twice, and in two processes at once: there is one target per setting.
    """
    settings = workshop.configuration.collection(collection_name)
    tokenizer = workshop.tokenizer(settings.embedding_model)
    fingerprint = chunker_fingerprint(settings.chunking, tokenizer)
    with workshop.database.begin() as connection:
        collection_id = register_collection(connection, collection_name)
        space = workshop.embedder(settings.embedding_model).space
        space_id = _register_space(connection, space)
        wanted = (space_id, fingerprint, settings.language)
        found = _find_generation(connection, collection_name, wanted)
        if found is not None:
            return found
        _insert_generation(
            connection, collection_id, space_id, fingerprint, settings, space.dimension
        )
        made = _find_generation(connection, collection_name, wanted)
        assert made is not None
        return made


def _find_generation(
    connection: Connection, collection_name: str, wanted: tuple[int, str, str]
) -> Generation | None:
    for generation in list_generations(connection, collection_name):
        target = (
            generation.embedding_space_id,
            generation.chunker_fingerprint,
            generation.language,
        )
        if target == wanted:
            return generation
    return None


def list_generations(connection: Connection, collection_name: str) -> list[Generation]:
    """The generations that have a table and receive changes, oldest first.

    A retired one is among them until it is dropped, so that going back to it serves nothing
    stale.
    """
    rows = connection.execute(
        load_statement("lifecycle/select_generations"), {"collection": collection_name}
    )
    return [_read_generation(row) for row in rows.mappings()]


def open_generations(workshop: Workshop, collection_name: str) -> list[Generation]:
    """Every generation that a stage has to serve; the one the configuration asks for is last."""
    target = open_target_generation(workshop, collection_name)
    with workshop.database.connect() as connection:
        generations = list_generations(connection, collection_name)
    return sorted(generations, key=lambda generation: generation.id == target.id)


def promote_generation(connection: Connection, collection_id: int, generation_id: int) -> None:
    """Let searches see this generation; the one before it retires. Takes effect at commit."""
    connection.execute(
        load_statement("lifecycle/promote_generation"),
        {"collection_id": collection_id, "generation_id": generation_id},
    )


def drop_generation(connection: Connection, generation_id: int) -> None:
    """Remove a retired generation with all it holds."""
    drop_entries_table(connection, generation_id)
    connection.execute(
        load_statement("lifecycle/drop_generation"), {"generation_id": generation_id}
    )


def _register_space(connection: Connection, space: EmbeddingSpace) -> int:
    parameters = {
        "fingerprint": space.fingerprint,
        "model": space.model,
        "dimension": space.dimension,
        "description": json.dumps(asdict(space)),
    }
    select = load_statement("lifecycle/select_embedding_space")
    found = connection.execute(select, parameters).scalar()
    if found is None:
        connection.execute(load_statement("lifecycle/insert_embedding_space"), parameters)
        found = connection.execute(select, parameters).scalar_one()
    return int(found)


def _insert_generation(
    connection: Connection,
    collection_id: int,
    space_id: int,
    fingerprint: str,
    settings: CollectionSettings,
    dimension: int,
) -> None:
    parameters = {
        "collection_id": collection_id,
        "embedding_space_id": space_id,
        "chunker_fingerprint": fingerprint,
        "chunking": settings.chunking.model_dump_json(),
        "language": settings.language,
    }
    made = connection.execute(load_statement("lifecycle/insert_generation"), parameters)
    generation_id = made.scalar_one_or_none()
    if generation_id is not None:
        create_entries_table(connection, generation_id, dimension)


def _read_generation(row: RowMapping) -> Generation:
    values: dict[str, Any] = dict(row)
    values["chunking"] = ChunkingSettings.model_validate(values["chunking"])
    return Generation(**values)
