"""The jobs: syncs of one source and of all sources, full sync proofs, and the daily jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dagster import AssetKey, AssetSelection, define_asset_job

from assets.asset_keys import STAGES, evaluation_key, index_key, source_key, to_dagster_name
from assets.entry_checks import full_proof_key
from assets.retention import KEY as RETENTION_KEY
from assets.retrieval_quality import KEY as QUALITY_KEY
from dagster_project.dagster_internals import UnresolvedAssetJobDefinition
from dagster_project.instance import SOURCE_TAG
from ragline.configuration import Configuration

SYNC_JOB = "sync_everything"
QUALITY_JOB = "measure_retrieval_quality"
PROOF_JOB = "prove_everything"
RETENTION_JOB = "collect_expired"
# The sources of a run of `ragline sync`, separated by commas.
SOURCES_TAG = "ragline/sources"


def sync_job_name(source: str) -> str:
    """The name of the job that syncs one source."""
    return f"sync_{to_dagster_name(source)}"


def list_keys(configuration: Configuration, names: Iterable[str]) -> list[AssetKey]:
    """Return the keys of the assets that a sync of the named sources materializes."""
    sources = [configuration.source(name) for name in names]
    keys = [source_key(source.name, stage) for source in sources for stage in STAGES]
    for name in dict.fromkeys(source.collection for source in sources):
        keys.extend(list_collection_keys(configuration, name))
    return keys


def list_collection_keys(configuration: Configuration, name: str) -> list[AssetKey]:
    """The assets of a collection: its search index, and its evaluation if it has a golden set."""
    has_golden_set = configuration.collection(name).golden is not None
    return [index_key(name), *([evaluation_key(name)] if has_golden_set else [])]


def select_sync(configuration: Configuration, names: Sequence[str]) -> AssetSelection:
    """The assets of a sync and their checks. The checks of the full sync proof are excluded."""
    proofs = AssetSelection.checks(*map(full_proof_key, names))
    return AssetSelection.assets(*list_keys(configuration, names)) - proofs


def build_jobs(configuration: Configuration) -> list[UnresolvedAssetJobDefinition]:
    """A sync job for each source, two jobs for all sources, and the two daily jobs."""
    names = [source.name for source in configuration.sources]
    jobs = [
        define_asset_job(
            sync_job_name(name),
            select_sync(configuration, [name]),
            description=f"Sync the source {name}: update the index of its collection.",
            tags={SOURCE_TAG: name},
        )
        for name in names
    ]
    if names:
        jobs.append(
            define_asset_job(
                SYNC_JOB,
                select_sync(configuration, names),
                description="Sync all sources: update the index of every collection.",
            )
        )
        jobs.append(
            define_asset_job(
                PROOF_JOB,
                AssetSelection.checks(*map(full_proof_key, names)),
                description="Compare every source with its ledger and its index entries.",
            )
        )
    quality = define_asset_job(
        QUALITY_JOB,
        AssetSelection.assets(QUALITY_KEY),
        description="Compute the figures of the searches of one day.",
    )
    retention = define_asset_job(
        RETENTION_JOB,
        AssetSelection.assets(RETENTION_KEY),
        description="Delete the rows whose retention time has ended.",
    )
    return [*jobs, quality, retention]
