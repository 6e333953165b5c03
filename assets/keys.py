"""How assets are named: `<source>/<stage>` and `<collection>/<noun>`, in one place."""

from __future__ import annotations

from dagster import AssetKey

OWNERS = ["team:data-platform"]
STAGES = ("documents", "chunks", "embeddings", "entries")


def source_key(source: str, stage: str) -> AssetKey:
    """The key of one stage of a source."""
    return AssetKey([source, stage])


def index_key(collection: str) -> AssetKey:
    """The key of what a collection's sources meet in."""
    return AssetKey([collection, "search_index"])


def evaluation_key(collection: str) -> AssetKey:
    """The key of a collection's scores on its golden set."""
    return AssetKey([collection, "retrieval_evaluation"])


def group_of(collection: str) -> str:
    """The group of a collection's assets; Dagster allows no dash in a group's name."""
    return collection.replace("-", "_")
