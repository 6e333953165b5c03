"""Builds the view of an index card: its facts as rows, and its decisions as sentences."""

from __future__ import annotations

from typing import Any

from ragline.counts import count
from ragline.durations import format_duration
from ragline.index_card.card import CardClock, CardModel, CardSource, IndexCard
from retrieval_api.page.formatting import format_timestamp
from retrieval_api.page.views import list_values

CLOCK_BADGES = {"kept": "good", "late": "bad", "unproven": "warn"}
HASH_DIGITS = 12
# The label of a fact, and its value.
Fact = tuple[str, str]


def list_model_facts(model: CardModel) -> list[Fact]:
    """List the facts about the embedding model."""
    return [
        ("Name", model.name),
        ("Licence", f"{model.licence} ({model.licence_origin})"),
        ("Dimensions", f"{model.dimension:,}"),
        ("Reads at most", count(model.max_tokens, "token")),
        ("Prefix of queries", model.query_prefix or "none"),
        ("Prefix of documents", model.document_prefix or "none"),
        ("SHA-256 of its files", model.files_hash),
    ]


def list_index_facts(card: IndexCard) -> list[Fact]:
    """List the facts about the size of the index and about its parts."""
    index, prints = card.index, card.fingerprints
    parameters = ", ".join(f"{name} {value:,}" for name, value in index.parameters.items())
    return [
        ("Documents", f"{index.documents:,}"),
        ("Entries", f"{index.entries:,}"),
        ("Size with all indexes", _describe_bytes(index.size_bytes)),
        ("Vector index", ", ".join(filter(None, (index.vector_index, parameters)))),
        ("Embedding space", prints.space),
        ("Chunker", prints.chunker),
        ("Parsers", ", ".join(prints.parsers) or "none"),
        ("Content", prints.content or "none: its table was deleted"),
    ]


def list_settings(settings: dict[str, Any]) -> list[Fact]:
    """List settings with readable names. The settings of the chunking are included."""
    return [(name.replace("_", " "), value) for name, value in list_values(_flatten(settings))]


def describe_changes(source: CardSource) -> str:
    """Describe the ages of the newest and the oldest change of a source."""
    if source.newest_change_at is None or source.oldest_change_at is None:
        return "not known"
    return f"{source.oldest_change_at:%Y-%m-%d} to {source.newest_change_at:%Y-%m-%d}"


def describe_clock(clock: CardClock) -> str:
    """Describe a clock of a source: its longest wait now, and its limit."""
    waiting = "no change waits"
    if clock.waiting_seconds:
        waiting = f"a change waits for {format_duration(clock.waiting_seconds)}"
    return f"{waiting}; the limit is {format_duration(clock.within_seconds)}"


def list_times(card: IndexCard) -> list[Fact]:
    """List the known times of the generation, such as its creation and its promotion."""
    times = (
        ("Created", card.created_at),
        ("Promoted", card.promoted_at),
        ("Retired", card.retired_at),
        ("Held since", card.held_at),
        ("Card made", card.made_at),
    )
    known = [(label, format_timestamp(time)) for label, time in times if time is not None]
    return [*known, ("By Ragline", card.code_version)]


def _flatten(settings: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return flat


def _describe_bytes(number: int) -> str:
    return f"{number / 1e6:,.1f} MB" if number else "none: its table was deleted"
