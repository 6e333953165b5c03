"""Compares the settings of a collection with the generations that exist, for a build plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ragline.chunking import chunker_fingerprint
from ragline.configuration import CollectionSettings
from ragline.embedder.space import EmbeddingSpace
from ragline.embedder.tokenizer import TokenCounter
from ragline.errors import DatabaseUnavailableError
from ragline.lifecycle.generation_keys import make_generation_key
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.open_generations import list_differences
from ragline.lifecycle.run_context import RunContext
from ragline.storage.statements import load_statement
from ragline.text_analysis import VERSION

# The number of characters of a hash that a change shows.
HASH_CHARS = 12
MODEL_FIELDS = ("model_files", "dimension", "query_prefix", "document_prefix")


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting whose value differs between the live generation and the present settings."""

    setting: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Wanted:
    """The generation that the settings of a collection ask for.

    `space` and `tokenizer` are None if the embedding model cannot be loaded.
    """

    settings: CollectionSettings
    space: EmbeddingSpace | None
    tokenizer: TokenCounter | None

    @property
    def chunker_fingerprint(self) -> str | None:
        """The fingerprint of the chunker; None if the model cannot be loaded."""
        if self.tokenizer is None:
            return None
        return chunker_fingerprint(self.settings.chunking, self.tokenizer)

    def is_built_as(self, generation: Generation) -> bool:
        """Return whether a generation was built with these settings.

        If the model cannot be loaded, only the values of the settings are compared.
        """
        made = self.chunker_fingerprint
        if self.space is None or made is None:
            return not list_differences(generation, self.settings)
        return generation.key == make_generation_key(self.settings, self.space, made)


def load_wanted(run_context: RunContext, collection_name: str) -> Wanted:
    """Return the generation that a collection's settings ask for. Loads the embedding model."""
    settings = run_context.configuration.collection(collection_name)
    try:
        tokenizer = run_context.tokenizer(settings.embedding_model)
        space = run_context.embedder(settings.embedding_model).space
    except DatabaseUnavailableError:
        raise
    except Exception:  # noqa: BLE001  `find_refusal` reports why a model cannot be loaded
        return Wanted(settings, None, None)
    return Wanted(settings, space, tokenizer)


def find_target(generations: Iterable[Generation], wanted: Wanted) -> Generation | None:
    """Return a generation with the wanted settings; the live generation if it has them.

    None if no generation has them.
    """
    found = [one for one in generations if wanted.is_built_as(one)]
    return min(found, key=lambda one: one.state != "live", default=None)


def list_changes(connection: Connection, live: Generation, wanted: Wanted) -> list[SettingChange]:
    """Return the settings that differ from those of the live generation. Empty if none differ."""
    statement = load_statement("build_plan/select_space_description")
    key = {"embedding_space_id": live.embedding_space_id}
    description = connection.execute(statement, key).scalar_one()
    before = _describe_live(live, description)
    after = _describe_wanted(wanted)
    if wanted.space is not None and wanted.space.fingerprint == live.space_fingerprint:
        for name in ("embedding_model", *MODEL_FIELDS):
            after.pop(name)
    if before["embedding_model"] != after.get("embedding_model", before["embedding_model"]):
        # Another model always has other files, so they are not a second change.
        after.pop("model_files", None)
    if wanted.chunker_fingerprint == live.chunker_fingerprint:
        after = {name: value for name, value in after.items() if not name.startswith("chunking.")}
    changes = [
        SettingChange(name, before[name], value)
        for name, value in after.items()
        if before[name] != value
    ]
    return changes + _find_chunker_change(live, wanted, changes)


def _find_chunker_change(
    live: Generation, wanted: Wanted, changes: Iterable[SettingChange]
) -> list[SettingChange]:
    """Return the change of the chunker's fingerprint if no setting of the chunker explains it.

    Then the tokenizer or the version of the chunker differs. Otherwise the result is empty.
    """
    made = wanted.chunker_fingerprint
    is_named = any(change.setting.startswith("chunking.") for change in changes)
    if made is None or is_named or made == live.chunker_fingerprint:
        return []
    return [
        SettingChange("chunker", live.chunker_fingerprint[:HASH_CHARS], made[:HASH_CHARS]),
    ]


def _describe_live(live: Generation, description: Mapping[str, Any]) -> dict[str, Any]:
    limit = description.get("max_tokens", live.chunking.max_tokens)
    return {
        "embedding_model": live.model,
        "model_files": str(description.get("model_hash"))[:HASH_CHARS],
        "dimension": live.dimension,
        "query_prefix": description.get("query_prefix", ""),
        "document_prefix": description.get("document_prefix", ""),
        "chunking.max_tokens": min(live.chunking.max_tokens, limit),
        "chunking.overlap_tokens": live.chunking.overlap_tokens,
        "language": live.language,
        "text_analysis": live.analysis_version,
    }


def _describe_wanted(wanted: Wanted) -> dict[str, Any]:
    settings, space, tokenizer = wanted.settings, wanted.space, wanted.tokenizer
    size = settings.chunking.max_tokens
    described: dict[str, Any] = {"embedding_model": settings.embedding_model}
    if space is not None:
        described |= {
            "model_files": space.model_hash[:HASH_CHARS],
            "dimension": space.dimension,
            "query_prefix": space.query_prefix,
            "document_prefix": space.document_prefix,
        }
    return described | {
        "chunking.max_tokens": size if tokenizer is None else min(size, tokenizer.max_tokens),
        "chunking.overlap_tokens": settings.chunking.overlap_tokens,
        "language": settings.language,
        "text_analysis": VERSION,
    }
