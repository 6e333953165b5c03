"""Jobs: a sync of one source with what stands on it, a sync of all, a day's quality."""

from __future__ import annotations

from collections.abc import Iterable

from dagster import AssetSelection, define_asset_job
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)

from assets.keys import STAGES, evaluation_key, group_of, index_key, source_key
from assets.retrieval_quality import KEY as QUALITY_KEY
from ragline.configuration import Configuration

QUALITY_JOB = "measure_retrieval_quality"


def sync_job_name(source: str) -> str:
    """The name of the job that syncs one source."""
    return f"sync_{group_of(source)}"


def select_sources(configuration: Configuration, names: Iterable[str]) -> AssetSelection:
    """The assets that a sync of some sources makes, with their checks."""
    sources = [configuration.source(name) for name in names]
    keys = [source_key(source.name, stage) for source in sources for stage in STAGES]
    for name in dict.fromkeys(source.collection for source in sources):
        keys.append(index_key(name))
        if configuration.collection(name).golden is not None:
            keys.append(evaluation_key(name))
    return AssetSelection.assets(*keys)


def build_jobs(configuration: Configuration) -> list[UnresolvedAssetJobDefinition]:
    """A job for each source, one for all of them, and the daily one."""
    names = [source.name for source in configuration.sources]
    jobs = [
        define_asset_job(
            sync_job_name(name),
            select_sources(configuration, [name]),
            description=f"Bring the index up to date with the source {name}.",
        )
        for name in names
    ]
    if names:
        jobs.append(
            define_asset_job(
                "sync_everything",
                select_sources(configuration, names),
                description="Bring every index up to date with its sources.",
            )
        )
    quality = define_asset_job(
        QUALITY_JOB,
        AssetSelection.assets(QUALITY_KEY),
        description="Make the figures of one day's searches.",
    )
    return [*jobs, quality]
