"""Asset keys. They have one component: `<source>_<stage>` or `<collection>_<noun>`.

The asset graph labels a box with the last component of its key. With one component, each box shows
its source and its stage. A step of a run has the same name as its asset.
"""

from __future__ import annotations

from dagster import AssetKey

OWNERS = ["team:data-platform"]
STAGES = ("documents", "chunks", "embeddings", "entries")


def source_key(source: str, stage: str) -> AssetKey:
    """Return the key of one stage of a source."""
    return AssetKey(f"{to_dagster_name(source)}_{stage}")


def index_key(collection: str) -> AssetKey:
    """Return the key of a collection's search index, which all sources of the collection share."""
    return AssetKey(f"{to_dagster_name(collection)}_search_index")


def candidate_key(collection: str) -> AssetKey:
    """Return the key of the generation that a collection's settings ask for."""
    return AssetKey(f"{to_dagster_name(collection)}_candidate")


def evaluation_key(collection: str) -> AssetKey:
    """Return the key of a collection's scores on its golden set."""
    return AssetKey(f"{to_dagster_name(collection)}_retrieval_evaluation")


def to_dagster_name(name: str) -> str:
    """Return the name of a source or a collection in Dagster's form: letters, digits, underscores.

    No two names have the same form, because the configuration refuses names that differ only in
    dashes and underscores.
    """
    return name.replace("-", "_")
