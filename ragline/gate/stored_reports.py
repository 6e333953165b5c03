"""Stores the reports of the gate, and reads them again.

A promotion, an approval and the pages of the service use the stored report. A stored report has no
text of a document, because it is kept after the document is removed. It has the ids of documents
and the queries of the golden set.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from ragline.errors import UnknownReportError
from ragline.gate.report import FallenQuery, GateReport, RankedDocument, Verdict
from ragline.storage.statements import load_statement

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from sqlalchemy import Connection, RowMapping

    from ragline.storage.database import Database


@dataclass(frozen=True, slots=True)
class GateRecord:
    """One stored report without its content.

    `live_id` is None if there was no live generation. `asked_by` names a person or a run.
    """

    id: int
    collection: str
    candidate_id: int
    live_id: int | None
    verdict: Verdict
    golden_set_version: str | None
    code_version: str
    seed: int
    asked_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredReport(GateRecord):
    """One stored report with its content."""

    report: GateReport


def store_report(database: Database, report: GateReport, asked_by: str) -> int:
    """Store a report without the words of documents. Return its id."""
    parameters = {
        "collection": report.collection,
        "candidate_id": report.candidate.id,
        "live_id": None if report.live is None else report.live.id,
        "verdict": report.verdict,
        "report": json.dumps(
            asdict(_without_words(report)), default=datetime.isoformat, allow_nan=False
        ),
        "golden_set_version": report.golden_set_version,
        "code_version": report.code_version,
        "seed": report.seed,
        "asked_by": asked_by,
    }
    with database.begin() as connection:
        statement = load_statement("gate/insert_report")
        return int(connection.execute(statement, parameters).scalar_one())


def read_report(database: Database, report_id: int) -> StoredReport:
    """Read a report by its id.

    Raises:
        UnknownReportError: the database has no report of this id.
    """
    with database.connect() as connection:
        found = _select(connection, "gate/select_report", {"report_id": report_id})
    if found is None:
        raise UnknownReportError(
            f"there is no gate report {report_id}; `ragline generation show ID` lists the reports "
            "of a generation"
        )
    return found


def find_latest_report(database: Database, generation_id: int) -> StoredReport | None:
    """Return the last report in which a generation was judged, or None if it was never judged."""
    with database.connect() as connection:
        return read_latest_report(connection, generation_id)


def read_latest_report(connection: Connection, generation_id: int) -> StoredReport | None:
    """Return the same as `find_latest_report`, in the transaction of `connection`."""
    return _select(connection, "gate/select_latest_report", {"generation_id": generation_id})


def list_reports(
    database: Database, *, collection: str | None = None, generation_id: int | None = None
) -> list[GateRecord]:
    """List the reports of a collection or of one judged generation, the newest first."""
    parameters = {"collection": collection, "generation_id": generation_id}
    with database.connect() as connection:
        rows = connection.execute(load_statement("gate/select_report_records"), parameters)
        return [GateRecord(**row) for row in rows.mappings()]


def _select(connection: Connection, name: str, parameters: dict[str, Any]) -> StoredReport | None:
    row = connection.execute(load_statement(name), parameters).mappings().first()
    return None if row is None else _read_row(row)


def _read_row(row: RowMapping) -> StoredReport:
    values: dict[str, Any] = dict(row)
    values["report"] = _reader().validate_python(values["report"])
    return StoredReport(**values)


@cache
def _reader() -> TypeAdapter[GateReport]:
    from pydantic import TypeAdapter

    return TypeAdapter(GateReport)


def _without_words(report: GateReport) -> GateReport:
    def strip(documents: tuple[RankedDocument, ...]) -> tuple[RankedDocument, ...]:
        return tuple(replace(one, words="") for one in documents)

    def strip_query(fallen: FallenQuery) -> FallenQuery:
        return replace(fallen, live=strip(fallen.live), candidate=strip(fallen.candidate))

    return replace(report, fallen=tuple(map(strip_query, report.fallen)))
