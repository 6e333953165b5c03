"""The figures of each collection for one day, including those that are expensive to compute.

The asset `retrieval_quality` computes them once a day and stores them, so that the service can show
them without a model or a scan.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast

import numpy as np
from pgvector import HalfVector
from sqlalchemy import Connection, RowMapping

from ragline.configuration import Configuration
from ragline.errors import (
    IndexNotReadyError,
    UnknownCollectionError,
    UnknownGenerationError,
)
from ragline.quality.drift import Drift, measure_drift
from ragline.quality.figures import Period, QualityFigures, read_figures
from ragline.quality.index_recall import (
    MAX_QUERIES,
    SCAN_TIMEOUT_MS,
    IndexRecall,
    measure_recall,
)
from ragline.quality.topics import Floats, Reason, Topic, Unanswered, group_topics
from ragline.search.live_generation import read_live_generation
from ragline.search.searcher import Searcher
from ragline.storage.database import Database
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

MAX_SAMPLED_QUERIES = 500
REFERENCE_PERIOD = timedelta(days=30)
# If the cosine similarity of a query and its first hit is lower than this value, the hit counts as
# not relevant. Source: with the default model, the cosine of unrelated texts is 0 to 0.2, and the
# cosine of a query and its answer is at least 0.4.
MIN_TOP_COSINE = 0.3


@dataclass(frozen=True, slots=True)
class DailyFigures:
    """The figures of a collection for one day (UTC).

    `drift` compares the queries of the day with those of the 30 days before. It is None if the day
    or the 30 days have fewer than 20 queries. Without a live generation, `drift` and `index_recall`
    are None and `unanswered_topics` is empty.
    """

    day: date
    figures: QualityFigures
    drift: Drift | None
    index_recall: IndexRecall | None
    unanswered_topics: tuple[Topic, ...]


@dataclass(frozen=True, slots=True)
class StoredFigures:
    """The expensive figures of a collection for one day, as they are stored in the database."""

    collection: str
    day: date
    measured_at: datetime
    drift: dict[str, Any] | None
    index_recall: dict[str, Any] | None
    unanswered_topics: list[dict[str, Any]]


def measure_day(
    database: Database, configuration: Configuration, day: date, run_id: str
) -> list[DailyFigures]:
    """Compute and store the figures of each collection that was searched on the day.

    The result is in order of the collections' names. If figures of the day are already stored, they
    are replaced. The function loads the embedding models of the collections.
    """
    searcher = Searcher(database, _without_feedback(configuration), timeout_ms=SCAN_TIMEOUT_MS)
    measured = []
    for figures in read_figures(database, Period.of_days(day, day)):
        daily = _measure_collection(database, searcher, day, figures)
        with database.begin() as connection:
            _store(connection, daily, run_id)
        measured.append(daily)
    return measured


def read_latest(
    database: Database, until: date, collection: str | None = None
) -> dict[str, StoredFigures]:
    """Return the latest stored figures of each collection up to a day, by collection."""
    parameters = {"until": until, "collection": collection}
    with database.connect() as connection:
        rows = connection.execute(load_statement("quality/select_latest_figures"), parameters)
        return {
            row.collection: StoredFigures(
                collection=row.collection,
                day=row.day,
                measured_at=row.measured_at,
                drift=row.figures["drift"],
                index_recall=row.figures["index_recall"],
                unanswered_topics=row.figures["unanswered_topics"],
            )
            for row in rows
        }


def _without_feedback(configuration: Configuration) -> Configuration:
    """Return the configuration with the feedback pass switched off for each collection.

    The index recall is measured with the vector of the query, and the feedback pass would move it.
    """
    collections = tuple(
        settings.model_copy(
            update={"search": settings.search.model_copy(update={"feedback_weight": 0.0})}
        )
        for settings in configuration.collections
    )
    return configuration.model_copy(update={"collections": collections})


def _measure_collection(
    database: Database, searcher: Searcher, day: date, figures: QualityFigures
) -> DailyFigures:
    measurement = _DayMeasurement.begin(database, searcher, day, figures.collection)
    if measurement is None:
        return DailyFigures(day, figures, None, None, ())
    return DailyFigures(
        day=day,
        figures=figures,
        drift=measurement.find_drift(),
        index_recall=measurement.find_recall(),
        unanswered_topics=measurement.find_topics(),
    )


@dataclass(frozen=True, slots=True)
class _DayMeasurement:
    """The measurement of one day of a collection: a sample of its searches, and their vectors."""

    database: Database
    searcher: Searcher
    collection: str
    generation: int
    model: str
    language: str
    period: Period
    sample: Sequence[RowMapping]
    vectors: dict[str, Floats]

    @classmethod
    def begin(
        cls, database: Database, searcher: Searcher, day: date, collection: str
    ) -> _DayMeasurement | None:
        """Begin the measurement. Return None if the collection has no live generation now."""
        with database.connect() as connection:
            try:
                live = read_live_generation(connection, collection)
            except (IndexNotReadyError, UnknownCollectionError):
                return None
            period = Period.of_days(day, day)
            sample = _sample(connection, collection, period)
        return cls(
            database=database,
            searcher=searcher,
            collection=collection,
            generation=live.id,
            model=live.model,
            language=live.language,
            period=period,
            sample=sample,
            vectors={},
        )

    def embed(self, queries: Sequence[str]) -> Floats:
        """Return the vectors of queries: (n, dim) float32, rows of unit length.

        Equal queries are embedded once.
        """
        embedder = self.searcher.embedder(self.model)
        for query in queries:
            if query not in self.vectors:
                self.vectors[query] = embedder.embed_query(query)
        return np.stack([self.vectors[query] for query in queries])

    def find_drift(self) -> Drift | None:
        before = Period(self.period.start - REFERENCE_PERIOD, self.period.start)
        with self.database.connect() as connection:
            reference = _queries(_sample(connection, self.collection, before))
        current = _queries(self.sample)
        if not reference or not current:
            return None
        return measure_drift(
            self.embed(reference), self.embed(current), _lengths(reference), _lengths(current)
        )

    def find_recall(self) -> IndexRecall | None:
        distinct = list(dict.fromkeys(_queries(self.sample)))[:MAX_QUERIES]
        try:
            return measure_recall(self.searcher, self.collection, distinct, self.generation)
        except UnknownGenerationError:
            return None  # The generation was deleted during the measurement.

    def find_topics(self) -> tuple[Topic, ...]:
        reasons = self._find_reasons()
        if not reasons:
            return ()
        queries = [query for query, _ in reasons]
        parameters = {"language": self.language, "texts": queries}
        with self.database.connect() as connection:
            rows = connection.execute(load_statement("quality/select_stems"), parameters)
            stems = [tuple(row.stems) for row in rows]
        unanswered = [
            Unanswered(query, reason, of_query)
            for (query, reason), of_query in zip(reasons, stems, strict=True)
        ]
        return group_topics(unanswered, self.embed(queries))

    def _find_reasons(self) -> list[tuple[str, Reason]]:
        parameters = {
            "collection": self.collection,
            "start": self.period.start,
            "end": self.period.end,
            "count": MAX_SAMPLED_QUERIES,
        }
        statement = load_statement("quality/select_unanswered_queries")
        with self.database.connect() as connection:
            rows = connection.execute(statement, parameters)
            reasons = [(row.query, cast("Reason", row.reason)) for row in rows]
            known = {query for query, _ in reasons}
            low: list[tuple[str, Reason]] = [
                (row["query"], "low_score")
                for row in self.sample
                if row["query"] not in known and self._is_far(connection, row)
            ]
        return [*reasons, *low]

    def _is_far(self, connection: Connection, row: RowMapping) -> bool:
        """Return whether the first hit of a recorded search is far from its query.

        The function computes their cosine similarity, because a fused score depends on the other
        hits of the answer. If the entry no longer exists, the result is False.
        """
        if row["first_entry_id"] is None or row["generation_id"] != self.generation:
            return False
        statement = load_generation_statement("quality/select_cosine", self.generation)
        vector = self.embed([row["query"]])[0]
        parameters = {
            "embedding": HalfVector(vector).to_text(),
            "entry_id": row["first_entry_id"],
        }
        cosine = connection.execute(statement, parameters).scalar()
        return cosine is not None and bool(cosine < MIN_TOP_COSINE)


def _sample(connection: Connection, collection: str, period: Period) -> Sequence[RowMapping]:
    parameters = {
        "collection": collection,
        "start": period.start,
        "end": period.end,
        "count": MAX_SAMPLED_QUERIES,
    }
    rows = connection.execute(load_statement("quality/sample_queries"), parameters)
    return rows.mappings().all()


def _queries(sample: Sequence[RowMapping]) -> list[str]:
    return [row["query"] for row in sample]


def _lengths(queries: Sequence[str]) -> list[int]:
    return [len(query) for query in queries]


def _store(connection: Connection, daily: DailyFigures, run_id: str) -> None:
    parameters = {
        "collection": daily.figures.collection,
        "day": daily.day,
        "figures": json.dumps(asdict(daily), default=str),
        "run_id": run_id,
    }
    connection.execute(load_statement("quality/upsert_quality_figures"), parameters)
