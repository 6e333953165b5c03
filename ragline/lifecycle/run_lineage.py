"""Lineage events of one run: when a job starts, completes or fails, and what it wrote.

A run has one job for each source that it syncs or builds. It has another job for each collection
whose index it publishes. All stages call this class, so that a sync in Dagster, `ragline sync`,
`ragline work` and `ragline generation build` send the same events. If OpenLineage is not
configured, each call returns at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ragline.code_version import read_code_version
from ragline.configuration import Configuration
from ragline.lifecycle.index_report import describe_error
from ragline.lineage.activation import is_configured, list_folders
from ragline.lineage.emitter import LineageEmitter
from ragline.lineage.facts import DatasetName, EventKind, GenerationFacts, RunFacts, SourceFacts
from ragline.parsing.formats import parser_fingerprint
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

if TYPE_CHECKING:
    from ragline.lifecycle.index_report import IndexReport

DEFAULT_PORT = 5432
UNFINISHED = (
    "the run ended before all stages of this job were complete; the log of the run has the reason"
)


class RunLineage:
    """The lineage events of one run. `close` sends a failure for each job that did not complete."""

    def __init__(self, configuration: Configuration, database: Database, run_id: str) -> None:
        self._configuration = configuration
        self._database = database
        self._run_id = run_id
        self._started: dict[str, RunFacts] = {}
        self._ended: set[str] = set()
        self._emitter: LineageEmitter | None = None
        self._is_enabled = is_configured(os.environ, list_folders())

    def start_source(self, name: str) -> None:
        """Report that the run works on a source. Only the first call for a source has an effect."""
        if self._is_enabled:
            collection = self._configuration.source(name).collection
            self._start(_name_source_job(collection, name), collection, [name])

    def complete_source(self, name: str) -> None:
        """Report that the entries of a source are written."""
        if not self._is_enabled:
            return
        collection = self._configuration.source(name).collection
        listed_at, counts = self._read_report(name)
        source = replace(
            self._describe_source(name), listed_at=listed_at, documents=counts.get("listed")
        )
        self._end(
            _name_source_job(collection, name), "COMPLETE",
            sources=(source,),
            generations=self._read_generations(collection, source=name),
            counts=counts,
        )  # fmt: skip

    def fail_source(self, name: str, error: Exception) -> None:
        """Report that the error ends the run for a source. The caller still raises the error."""
        if self._is_enabled:
            collection = self._configuration.source(name).collection
            self._end(_name_source_job(collection, name), "FAIL", error=describe_error(error))

    def start_index(self, collection: str) -> None:
        """Report that the run publishes the index of a collection."""
        if self._is_enabled:
            names = [source.name for source in self._configuration.sources_of(collection)]
            self._start(_name_index_job(collection), collection, names)

    def end_index(self, collection: str, report: IndexReport) -> None:
        """Report the result of the stage `publish`: the published generation, or the error."""
        if not self._is_enabled:
            return
        counts = {
            "is_live": int(report.is_live),
            "was_promoted": int(report.was_promoted),
            "dropped_generations": len(report.dropped_generations),
        }
        self._end(
            _name_index_job(collection), "COMPLETE" if report.error is None else "FAIL",
            generations=self._read_generations(collection, generation_id=report.generation),
            counts=counts,
            error=None if report.error is None else describe_error(report.error),
        )  # fmt: skip

    def close(self) -> None:
        """Send a failure for each open job, and wait a short time for the delivery."""
        for job in list(self._started):
            self._end(job, "FAIL", error=UNFINISHED)
        self._ended.clear()
        if self._emitter is not None:
            self._emitter.close()
            self._emitter = None

    def _start(self, job: str, collection: str, sources: list[str]) -> None:
        if job in self._started or job in self._ended:
            return
        facts = RunFacts(
            kind="START",
            happened_at=datetime.now(UTC),
            run_id=self._run_id,
            job=job,
            collection=collection,
            tenant=self._find_tenant(collection),
            parser_fingerprint=parser_fingerprint(),
            code_version=read_code_version(),
            sources=tuple(map(self._describe_source, sources)),
        )
        self._started[job] = facts
        self._emit(facts)

    def _end(
        self,
        job: str,
        kind: EventKind,
        *,
        sources: tuple[SourceFacts, ...] | None = None,
        generations: tuple[GenerationFacts, ...] = (),
        counts: Mapping[str, int] | None = None,
        error: str | None = None,
    ) -> None:
        started = self._started.pop(job, None)
        if started is None:
            return
        self._ended.add(job)
        facts = replace(
            started,
            kind=kind,
            happened_at=datetime.now(UTC),
            sources=started.sources if sources is None else sources,
            generations=generations,
            counts=counts or {},
            error=error,
        )
        self._emit(facts)

    def _emit(self, facts: RunFacts) -> None:
        if self._emitter is None:
            self._emitter = LineageEmitter()
        self._emitter.emit(facts)

    def _find_tenant(self, collection: str) -> str:
        return self._configuration.collection(collection).tenant

    def _describe_source(self, name: str) -> SourceFacts:
        settings = self._configuration.source(name)
        tenant = self._find_tenant(settings.collection)
        return SourceFacts(name, settings.kind, settings.address, tenant)

    def _read_report(self, name: str) -> tuple[datetime | None, dict[str, int]]:
        """Return the time of a source's last listing, and the counts of this run for the source."""
        listed = load_statement("lifecycle/select_listed_at")
        reports = load_statement("lifecycle/select_source_syncs")
        with self._database.connect() as connection:
            source = connection.execute(listed, {"source": name}).first()
            rows = connection.execute(reports, {"run_id": self._run_id}).mappings()
            report = next((row for row in rows if row["source"] == name), None)
        counts = {} if report is None else report
        return (
            None if source is None else source.listed_at,
            {str(key): value for key, value in counts.items() if isinstance(value, int)},
        )

    def _read_generations(
        self, collection: str, *, source: str | None = None, generation_id: int | None = None
    ) -> tuple[GenerationFacts, ...]:
        statement = load_statement("lifecycle/select_written_generations")
        parameters = {"collection": collection, "source": source, "generation_id": generation_id}
        with self._database.connect() as connection:
            rows = connection.execute(statement, parameters).mappings().all()
        return tuple(
            GenerationFacts(
                **{**row, "columns": tuple((name, kind) for name, kind in row["columns"])},
                table=name_table(self._database, row["generation"]),
            )
            for row in rows
        )


def name_table(database: Database, generation_id: int) -> DatasetName:
    """Name the table of a generation as OpenLineage names tables of Postgres."""
    url = database.engine.url
    namespace = f"postgres://{url.host or 'localhost'}:{url.port or DEFAULT_PORT}"
    return DatasetName(namespace, f"{url.database}.ragline.entries_{generation_id}")


def _name_source_job(collection: str, source: str) -> str:
    return f"{collection}.{source}"


def _name_index_job(collection: str) -> str:
    return f"{collection}.search_index"
