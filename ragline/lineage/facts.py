"""What a lineage event says, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, UUID, uuid5

EventKind = Literal["START", "COMPLETE", "FAIL"]


@dataclass(frozen=True, slots=True)
class DatasetName:
    """The name of a dataset by the rules of OpenLineage: a namespace, and a name within it."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """A source that a run reads. `listed_at` is the start of its last complete listing."""

    source: str
    kind: str
    address: str
    tenant: str
    listed_at: datetime | None = None
    documents: int | None = None


@dataclass(frozen=True, slots=True)
class GenerationFacts:
    """A generation that a run writes or promotes, with its table and its counts.

    `columns` contains the name and the type of each column of the table.
    """

    generation: int
    state: str
    table: DatasetName
    space_fingerprint: str
    chunker_fingerprint: str
    language: str
    documents: int
    entries: int
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One step in the life of a job: its start, its success or its failure.

    `run_id` is the run id of Ragline, which receipts contain. A run has several jobs, such as the
    sync of each source. `counts` contains the counts in the job's report.
    """

    kind: EventKind
    happened_at: datetime
    run_id: str
    job: str
    collection: str
    tenant: str
    parser_fingerprint: str
    code_version: str
    sources: tuple[SourceFacts, ...]
    generations: tuple[GenerationFacts, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None


def name_source(facts: SourceFacts) -> DatasetName:
    """Name the dataset of a source by its address.

    `https://example.org/handbook` is the dataset `handbook` in the namespace `https://example.org`.
    A path is a dataset in the namespace `file`. For a source without an address, the dataset has
    the name of the source, in the namespace `ragline`.
    """
    parts = urlsplit(facts.address)
    if parts.scheme and parts.hostname:
        port = "" if parts.port is None else f":{parts.port}"
        return DatasetName(f"{parts.scheme}://{parts.hostname}{port}", parts.path.strip("/") or "/")
    if facts.address.startswith("/") or parts.scheme == "file":
        return DatasetName("file", parts.path)
    return DatasetName("ragline", facts.source)


def make_run_uuid(run_id: str) -> UUID:
    """Return the UUID of a Ragline run: the id itself if it is a UUID, otherwise a hash of it."""
    try:
        return UUID(run_id)
    except ValueError:
        return uuid5(NAMESPACE_URL, f"urn:ragline:run:{run_id}")


def make_job_uuid(run_id: str, job: str) -> UUID:
    """Return the UUID of one job of a run. All events of this job contain it."""
    return uuid5(make_run_uuid(run_id), job)
