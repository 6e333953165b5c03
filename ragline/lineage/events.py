"""Makes OpenLineage events from plain values. The import of this module imports the client."""

from __future__ import annotations

import os
from typing import Any

import attr
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    DatasetFacet,
    RunFacet,
    dataset_version_dataset,
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    output_statistics_output_dataset,
    ownership_dataset,
    parent_run,
    processing_engine_run,
    schema_dataset,
)

from ragline.lineage.facts import (
    GenerationFacts,
    RunFacts,
    SourceFacts,
    make_job_uuid,
    make_run_uuid,
    name_source,
)

DEFAULT_NAMESPACE = "ragline"
INTEGRATION = "RAGLINE"
# The name of the parent job. The id of its run is the UUID of the Ragline run.
PARENT_JOB = "ragline.run"


@attr.define
class RaglineRunFacet(RunFacet):
    """The facet of a run, with the run id and the generations that the receipts of hits contain."""

    runId: str  # noqa: N815  the naming of the OpenLineage specification
    collection: str
    parserFingerprint: str  # noqa: N815
    codeVersion: str  # noqa: N815
    generations: list[dict[str, Any]]
    counts: dict[str, int]

    @staticmethod
    def _get_schema() -> str:
        return "urn:ragline:lineage:run-facet:1"


@attr.define
class RaglineSourceFacet(DatasetFacet):
    """The facet of a source: its name and its kind, as in the configuration file."""

    source: str
    kind: str

    @staticmethod
    def _get_schema() -> str:
        return "urn:ragline:lineage:source-facet:1"


def make_event(facts: RunFacts) -> RunEvent:
    """Make the event of one step of a job."""
    event = RunEvent(
        eventType=RunState[facts.kind],
        eventTime=facts.happened_at.isoformat(),
        producer=f"urn:ragline:{facts.code_version}",
        run=Run(str(make_job_uuid(facts.run_id, facts.job)), facets=_make_run_facets(facts)),
        job=Job(
            read_namespace(),
            facts.job,
            facets={"jobType": job_type_job.JobTypeJobFacet("BATCH", INTEGRATION, "JOB")},
        ),
        inputs=[_make_input(source) for source in facts.sources],
        outputs=[_make_output(facts, generation) for generation in facts.generations],
    )
    _name_producer(event, event.producer)
    return event


def read_namespace() -> str:
    """Return the namespace of Ragline's jobs: OPENLINEAGE_NAMESPACE, or `ragline`."""
    return os.environ.get("OPENLINEAGE_NAMESPACE") or DEFAULT_NAMESPACE


def _make_run_facets(facts: RunFacts) -> dict[str, RunFacet]:
    generations = [
        {
            "generation": one.generation,
            "state": one.state,
            "table": one.table.name,
            "spaceFingerprint": one.space_fingerprint,
            "chunkerFingerprint": one.chunker_fingerprint,
            "language": one.language,
            "documents": one.documents,
            "chunks": one.entries,
        }
        for one in facts.generations
    ]
    facets: dict[str, RunFacet] = {
        "parent": parent_run.ParentRunFacet(
            run=parent_run.Run(str(make_run_uuid(facts.run_id))),
            job=parent_run.Job(read_namespace(), PARENT_JOB),
        ),
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            version=facts.code_version, name="ragline"
        ),
        "ragline": RaglineRunFacet(
            facts.run_id, facts.collection, facts.parser_fingerprint, facts.code_version,
            generations, dict(facts.counts),
        ),
    }  # fmt: skip
    if facts.error is not None:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(facts.error, "PYTHON")
    return facets


def _make_input(source: SourceFacts) -> InputDataset:
    name = name_source(source)
    facets: dict[str, DatasetFacet] = {
        "ragline_source": RaglineSourceFacet(source.source, source.kind),
        "ownership": _make_owner(source.tenant),
    }
    if source.listed_at is not None:
        version = source.listed_at.isoformat()
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(version)
    statistics = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(source.documents)
    counted = {} if source.documents is None else {"inputStatistics": statistics}
    return InputDataset(name.namespace, name.name, facets=facets, inputFacets={**counted})


def _make_output(facts: RunFacts, generation: GenerationFacts) -> OutputDataset:
    columns = [
        schema_dataset.SchemaDatasetFacetFields(name, kind) for name, kind in generation.columns
    ]
    version = f"{generation.generation}@{facts.run_id}"
    facets: dict[str, DatasetFacet] = {
        "schema": schema_dataset.SchemaDatasetFacet(columns),
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(version),
        "ownership": _make_owner(facts.tenant),
    }
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=generation.entries
    )
    return OutputDataset(
        generation.table.namespace, generation.table.name,
        facets=facets, outputFacets={"outputStatistics": statistics},
    )  # fmt: skip


def _make_owner(tenant: str) -> ownership_dataset.OwnershipDatasetFacet:
    return ownership_dataset.OwnershipDatasetFacet([ownership_dataset.Owner(f"tenant:{tenant}")])


def _name_producer(event: RunEvent, producer: str) -> None:
    """Name Ragline as the producer of each facet. By default, the client names itself."""
    datasets = [*(event.inputs or []), *(event.outputs or [])]
    groups = [event.run.facets, event.job.facets]
    groups += [getattr(one, name, None) for one in datasets for name in _FACET_FIELDS]
    for group in groups:
        for facet in (group or {}).values():
            facet._producer = producer  # noqa: SLF001  the field of the specification


_FACET_FIELDS = ("facets", "inputFacets", "outputFacets")
