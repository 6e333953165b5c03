"""The generation that a search uses: the live one, or another one that is measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from ragline.configuration.released_settings import ReleasedSettings
from ragline.errors import IndexNotReadyError, UnknownCollectionError, UnknownGenerationError
from ragline.storage.statements import load_statement
from ragline.text_analysis import VERSION
from ragline.unknown_names import describe_unknown


@dataclass(frozen=True, slots=True)
class LiveGeneration:
    """The properties of a generation that a search needs. Nearly all searches use the live one.

    `calibrations` has the keys `mode`, `is_reranked`, `model` and `reason` for each kind of search
    that was calibrated. It is None if no kind of search was calibrated. `released` has the search
    settings of the release, as `released_settings` writes them. It is None if searches use the
    settings of the file.
    """

    id: int
    language: str
    entry_count: int
    chunker_fingerprint: str
    space_fingerprint: str
    model: str
    has_vector_index: bool = False
    analysis_version: str | None = VERSION
    calibrations: Sequence[Mapping[str, Any]] | None = field(default=None, compare=False)
    released: ReleasedSettings | None = field(default=None, compare=False)


def read_live_generation(
    connection: Connection,
    collection: str,
    tenant: str | None = None,
    configured: Iterable[str] = (),
) -> LiveGeneration:
    """Return the live generation of a collection that the tenant may see.

    If `tenant` is None, every collection is permitted. `configured` names the configured
    collections. The message of UnknownCollectionError also lists those of them that were never
    synced.

    Raises:
        UnknownCollectionError: the tenant has no such collection.
        IndexNotReadyError: the collection has no live generation yet.
    """
    statement = load_statement("search/select_live_generation")
    parameters = {"collection": collection, "tenant": tenant}
    row = connection.execute(statement, parameters).mappings().first()
    if row is None:
        _refuse_unknown(connection, collection, tenant, configured)
    if row is None or row["id"] is None:
        raise IndexNotReadyError(
            f"collection {collection} has no live index yet; run `ragline sync` first"
        )
    return LiveGeneration(**row)


def read_generation(
    connection: Connection,
    collection: str,
    generation_id: int,
    tenant: str | None = None,
    *,
    is_complete: bool = False,
) -> LiveGeneration:
    """Return a generation of a collection that the tenant may see, whether it is live or not.

    Its state is `building`, `candidate`, `live` or `retired`. A generation that is being built can
    lack entries. With `is_complete`, the state is not `building`.

    Raises:
        UnknownGenerationError: the tenant has no such collection, the collection has no generation
            with this id, or the state of the generation is another one.
    """
    statement = load_statement("search/select_generation")
    parameters = {
        "collection": collection,
        "tenant": tenant,
        "generation_id": generation_id,
        "is_complete": is_complete,
    }
    row = connection.execute(statement, parameters).mappings().first()
    if row is None:
        raise UnknownGenerationError(
            f"collection {collection} has no generation {generation_id} that can be searched"
        )
    return LiveGeneration(**row)


def _refuse_unknown(
    connection: Connection, collection: str, tenant: str | None, configured: Iterable[str]
) -> None:
    rows = connection.execute(load_statement("search/select_collections"), {"tenant": tenant})
    names = {row.name for row in rows} | set(configured)
    if collection not in names:
        raise UnknownCollectionError(describe_unknown("collection", collection, sorted(names)))
