"""Stores evaluations with their evidence, and reads them again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from ragline.errors import UnknownEvaluationError
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

if TYPE_CHECKING:
    from ragline.evaluation.evaluation import Evaluation, QueryValues
    from ragline.evaluation.evidence import Evidence

MAX_LISTED = 100
# More digits would claim a precision that no measure has.
STORED_DIGITS = 6


@dataclass(frozen=True, slots=True)
class EvaluationRecord:
    """A stored evaluation: its figures and its evidence.

    The fields of the evidence are None in the evaluations of releases up to 0.5.0, which did not
    store them. `run_id` is the Dagster run, or None for `ragline eval`.
    """

    id: int
    run_id: str | None
    collection: str
    generation: int
    mode: str
    rerank: bool
    measures: dict[str, float]
    queries: int
    failed: int
    seconds: float
    evaluated_at: datetime
    golden_version: str
    golden_folder: str | None
    split: str | None
    unanswerable: int | None
    unanswerable_with_hits: int | None
    space_fingerprint: str | None
    chunker_fingerprint: str | None
    parser_fingerprints: list[str] | None
    content_fingerprint: str | None
    settings: dict[str, Any] | None
    code_version: str | None
    seed: int | None


def record_evaluation(
    connection: Connection, evaluation: Evaluation, evidence: Evidence, run_id: str | None
) -> int:
    """Store an evaluation with its evidence, and return its id.

    `run_id` is the id of the Dagster run, or None. The values of each query are stored, and no
    text of a query. The missed queries are not stored.
    """
    values = {
        **asdict(evidence),
        "parser_fingerprints": list(evidence.parser_fingerprints),
        "settings": json.dumps(evidence.settings),
        "run_id": run_id,
        "collection": evaluation.collection,
        "mode": evaluation.mode,
        "rerank": evaluation.rerank,
        "measures": json.dumps(evaluation.measures),
        "queries": evaluation.queries,
        "failed": evaluation.failed,
        "seconds": evaluation.seconds,
        "unanswerable": evaluation.unanswerable.queries,
        "unanswerable_with_hits": len(evaluation.unanswerable.with_hits),
        "query_values": json.dumps(_round(evaluation.query_values)),
    }
    inserted = connection.execute(load_statement("quality/insert_evaluation"), values)
    return int(inserted.scalar_one())


def read_evaluation(database: Database, evaluation_id: int) -> EvaluationRecord:
    """Return a stored evaluation.

    Raises:
        UnknownEvaluationError: there is no evaluation with this id.
    """
    found = _select(database, evaluation_id=evaluation_id)
    if not found:
        raise UnknownEvaluationError(
            f"there is no evaluation {evaluation_id}; `ragline evaluations` lists the newest"
        )
    return found[0]


def read_query_values(database: Database, evaluation_id: int) -> QueryValues | None:
    """Return the values of each query of a stored evaluation, by measure and query id.

    The result is None if an older release made the evaluation, or if there is no such evaluation.
    """
    statement = load_statement("quality/select_query_values")
    with database.connect() as connection:
        return connection.execute(statement, {"id": evaluation_id}).scalar()


def list_evaluations(
    database: Database, collection: str | None = None, generation_id: int | None = None
) -> list[EvaluationRecord]:
    """Return the evaluations of a collection, of a generation or of all collections, newest first.

    At most MAX_LISTED are returned.
    """
    return _select(database, collection=collection, generation_id=generation_id)


def _round(values: QueryValues) -> QueryValues:
    return {
        name: {key: round(value, STORED_DIGITS) for key, value in by_query.items()}
        for name, by_query in values.items()
    }


def _select(
    database: Database,
    *,
    evaluation_id: int | None = None,
    collection: str | None = None,
    generation_id: int | None = None,
) -> list[EvaluationRecord]:
    parameters = {
        "id": evaluation_id,
        "collection": collection,
        "generation_id": generation_id,
        "limit": MAX_LISTED,
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("quality/select_evaluation_records"), parameters)
        return [EvaluationRecord(**row) for row in rows.mappings()]
