"""What the figures of an evaluation depend on: generation, golden set, settings and code.

`stored_evaluations` stores the evidence with the figures. `reproduction` compares the evidence with
the present state.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from ragline.code_version import read_code_version
from ragline.configuration import CollectionSettings, Configuration
from ragline.errors import IndexNotReadyError, UnknownGenerationError
from ragline.evaluation.evaluation import EVALUATED_HITS, SERVED_TOP_K
from ragline.evaluation.index_state import IndexState, read_index_state
from ragline.fingerprints import fingerprint
from ragline.golden_set import GoldenSet
from ragline.golden_set.reading import DEFAULT_QRELS
from ragline.lifecycle.releases import use_release
from ragline.search.live_generation import read_generation, read_live_generation
from ragline.storage.database import Database


@dataclass(frozen=True, slots=True)
class GoldenOrigin:
    """Where a golden set was read: its folder, and the split or the file of its judgements."""

    folder: Path
    split: str = DEFAULT_QRELS


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the figures of an evaluation depend on.

    `settings` has the search settings, the reranker, the fingerprint of both, and the number of
    hits of each search. `depth_top_k` in it says how many candidates each leg returned
    (`SearchRequest`).
    `code_version` is described in `ragline.code_version`. `seed` is None, because an evaluation
    uses no random numbers.
    """

    generation: int
    space_fingerprint: str
    chunker_fingerprint: str
    parser_fingerprints: tuple[str, ...]
    content_fingerprint: str
    golden_version: str
    golden_folder: str
    split: str
    settings: dict[str, Any]
    code_version: str
    seed: int | None = None


def choose_generation(
    database: Database, configuration: Configuration, collection: str, generation_id: int | None
) -> tuple[int, Configuration]:
    """Return the id of a generation, and the configuration with the settings of its searches.

    Without `generation_id`, it is the live generation. Searches of the live generation use the
    settings of its release. Searches of other generations use the settings of the file, because a
    promotion would release them.

    Raises:
        UnknownCollectionError: there is no such collection.
        IndexNotReadyError: the collection has no live generation.
        UnknownGenerationError: the collection has no complete generation with this id, or its table
            was dropped.
    """
    configured = [settings.name for settings in configuration.collections]
    with database.connect() as connection:
        live = read_live_generation(connection, collection, configured=configured).id
        if generation_id is not None and generation_id != live:
            _require_generation(connection, collection, generation_id)
            return generation_id, configuration
    return live, use_release(database, configuration, collection)


def _require_generation(connection: Connection, collection: str, generation_id: int) -> None:
    try:
        read_generation(connection, collection, generation_id, is_complete=True)
    except UnknownGenerationError as error:
        hint = f"`ragline generation list {collection}` shows all"
        raise UnknownGenerationError(f"{error}; {hint}") from error


def gather_evidence(
    database: Database,
    settings: CollectionSettings,
    golden: GoldenSet,
    origin: GoldenOrigin,
    generation_id: int | None = None,
) -> Evidence:
    """Read what an evaluation depends on, before its searches.

    Without `generation_id`, the live generation is used. If a sync changes the index during the
    evaluation, the evidence describes the state before this change.

    Raises:
        IndexNotReadyError: the collection has no live generation.
        UnknownGenerationError: the collection has no such generation, or its table was dropped.
    """
    index = _require_index_state(database, settings.name, generation_id)
    return Evidence(
        generation=index.id,
        space_fingerprint=index.space_fingerprint,
        chunker_fingerprint=index.chunker_fingerprint,
        parser_fingerprints=index.parser_fingerprints,
        content_fingerprint=index.content_fingerprint,
        golden_version=golden.content_hash,
        golden_folder=str(origin.folder.resolve()),
        split=origin.split,
        settings=describe_settings(settings),
        code_version=read_code_version(),
    )


def _require_index_state(
    database: Database, collection: str, generation_id: int | None
) -> IndexState:
    index = read_index_state(database, collection, generation_id)
    if index is None and generation_id is None:
        raise IndexNotReadyError(
            f"collection {collection} has no live index yet; run `ragline sync` first"
        )
    if index is None:
        raise UnknownGenerationError(
            f"collection {collection} has no generation {generation_id} that can be searched; "
            f"`ragline generation list {collection}` shows all"
        )
    return index


def fingerprint_evidence(evidence: Evidence) -> str:
    """Return a hash of everything that the scores depend on. Equal hashes mean equal scores."""
    return fingerprint(
        {
            "index": [evidence.generation, evidence.content_fingerprint],
            "golden": [evidence.golden_version, evidence.split],
            "settings": evidence.settings,
            "code": evidence.code_version,
        }
    )


def describe_settings(settings: CollectionSettings) -> dict[str, Any]:
    """Return the settings that the searches of an evaluation use, in the form of JSON."""
    return {
        "search": settings.search.model_dump(mode="json"),
        "reranker": settings.reranker,
        "ef_search": settings.vector_index.ef_search,
        "hits": EVALUATED_HITS,
        "depth_top_k": SERVED_TOP_K,
        "fingerprint": settings.search_fingerprint,
    }
