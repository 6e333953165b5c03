"""Runs a stored evaluation again, and says whether its figures agree and what has changed since.

An evaluation is run again with the same generation, golden set and search settings. If one of them
no longer exists, the reproduction says which one, and nothing is run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from ragline.code_version import read_code_version
from ragline.configuration import CollectionSettings, Configuration
from ragline.configuration.collection_settings import SearchSettings
from ragline.errors import GoldenSetError, ModelUnavailableError
from ragline.evaluation.evaluation import (
    EVALUATED_HITS,
    SERVED_TOP_K,
    Evaluation,
    QueryValues,
    evaluate,
)
from ragline.evaluation.index_state import IndexState, read_index_state
from ragline.evaluation.stored_evaluations import EvaluationRecord, read_query_values
from ragline.golden_set import GoldenSet, read_golden_set
from ragline.lifecycle.generation_records import find_record
from ragline.model_cache import ModelCache
from ragline.progress import Progress
from ragline.search.messages import MODES
from ragline.search.searcher import Searcher
from ragline.storage.database import Database

# Commands and pages show figures with four decimals. If two figures differ by at most this
# tolerance, their last shown digits differ by at most one.
TOLERANCE = 0.00005

Outcome = Literal["agrees", "differs", "impossible"]


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """A figure of the stored evaluation, and the same figure of the new evaluation.

    A figure is None if an evaluation does not contain it.
    """

    name: str
    then: float | None
    now: float | None

    def agrees(self, tolerance: float) -> bool:
        if self.then is None or self.now is None:
            return self.then == self.now
        return abs(self.then - self.now) <= tolerance


@dataclass(frozen=True, slots=True)
class ComparedQuery:
    """A query of the golden set with those of its figures that differ."""

    id: str
    query: str
    figures: tuple[ComparedFigure, ...]

    @property
    def largest_difference(self) -> float:
        return max(abs((one.then or 0.0) - (one.now or 0.0)) for one in self.figures)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that the figures depend on and that has changed. Both values are texts."""

    name: str
    then: str
    now: str


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The result of a reproduction.

    `outcome` is `agrees` if every figure agrees within `tolerance`. It is `impossible` if the
    evaluation cannot be run again; `obstacles` then says why, and `figures` is empty. `changes`
    lists what has changed since the evaluation. A change can explain a difference, and figures can
    agree in spite of it. `queries` has the queries whose figures differ, the largest difference
    first. It is None if the values of queries were not stored, or if nothing was run again. The
    figures of queries do not decide the outcome, because two queries can change and their mean can
    stay equal.
    """

    evaluation: EvaluationRecord
    outcome: Outcome
    tolerance: float
    figures: tuple[ComparedFigure, ...]
    changes: tuple[Change, ...]
    obstacles: tuple[str, ...]
    queries: tuple[ComparedQuery, ...] | None = None

    @property
    def title(self) -> str:
        """The name of the evaluation for people."""
        record = self.evaluation
        return f"evaluation {record.id} of {record.collection}, generation {record.generation}"


@dataclass(slots=True)
class _Attempt:
    """What the reproduction finds before it searches, and the obstacles that prevent it.

    A part that no longer exists is None.
    """

    golden: GoldenSet | None
    index: IndexState | None
    settings: CollectionSettings | None
    obstacles: list[str]


def reproduce_evaluation(
    database: Database,
    configuration: Configuration,
    record: EvaluationRecord,
    *,
    golden_folder: Path | None = None,
    tolerance: float = TOLERANCE,
    models: ModelCache | None = None,
    progress: Progress | None = None,
) -> Reproduction:
    """Run a stored evaluation again and compare its figures. Nothing is written.

    The golden set is read from `golden_folder`. Without this folder, it is read from the folder of
    the stored evaluation, or from the folder in the collection's settings. The first one whose
    golden set has the stored version is used.
    """
    attempt = _prepare(database, configuration, record, golden_folder)
    changes = _list_changes(record, attempt)
    evaluation = None
    if attempt.golden and attempt.settings and not attempt.obstacles:
        used = _replace_settings(configuration, attempt.settings)
        searcher = Searcher(database, used, models=models)
        evaluation = _evaluate(searcher, record, attempt, attempt.golden, progress)
    if evaluation is None or attempt.golden is None:
        return Reproduction(record, "impossible", tolerance, (), changes, tuple(attempt.obstacles))
    figures = tuple(_compare(record, evaluation))
    outcome: Outcome = "agrees" if all(one.agrees(tolerance) for one in figures) else "differs"
    queries = _compare_queries(
        read_query_values(database, record.id), evaluation, attempt.golden, tolerance
    )
    return Reproduction(record, outcome, tolerance, figures, changes, (), queries)


def _evaluate(
    searcher: Searcher,
    record: EvaluationRecord,
    attempt: _Attempt,
    golden: GoldenSet,
    progress: Progress | None,
) -> Evaluation | None:
    """Search again. If the model cannot be loaded, add an obstacle and return None."""
    try:
        return evaluate(
            searcher, record.collection, golden,
            mode=next(mode for mode in MODES if mode == record.mode),
            rerank=record.rerank, generation_id=record.generation, progress=progress,
        )  # fmt: skip
    except ModelUnavailableError as error:
        attempt.obstacles.append(f"Its model cannot be loaded: {error}.")
        return None


def _prepare(
    database: Database,
    configuration: Configuration,
    record: EvaluationRecord,
    golden_folder: Path | None,
) -> _Attempt:
    attempt = _Attempt(None, None, None, [])
    attempt.index = read_index_state(database, record.collection, record.generation)
    if attempt.index is None:
        attempt.obstacles.append(_describe_generation(database, record))
    _add_settings(attempt, configuration, record)
    _add_golden(attempt, configuration, record, golden_folder)
    return attempt


def _describe_generation(database: Database, record: EvaluationRecord) -> str:
    with database.connect() as connection:
        state = find_record(connection, record.generation).state
    return (
        f"Generation {record.generation} is {state} and has no entries, so no search can use it. A "
        "build with the same settings makes another generation, which `ragline eval` measures."
    )


def _add_settings(
    attempt: _Attempt, configuration: Configuration, record: EvaluationRecord
) -> None:
    """Set the settings of the collection, with the search settings of the stored evaluation.

    If they are unknown or no longer valid, add an obstacle instead.
    """
    if record.settings is None:
        attempt.obstacles.append(
            "Its settings are unknown, because a release up to 0.5.0 made it. `ragline eval` makes "
            "a new one that can be run again."
        )
        return
    known = [one for one in configuration.collections if one.name == record.collection]
    now = known[0] if known else CollectionSettings.model_construct(name=record.collection)
    try:
        search = SearchSettings.model_validate(record.settings["search"])
    except ValidationError as error:
        reason = error.errors()[0]
        name = ".".join(str(part) for part in reason["loc"])
        attempt.obstacles.append(
            f"This release does not accept its search setting {name}: {reason['msg']}. Use the "
            f"release {record.code_version}."
        )
        return
    # An evaluation of an older version of Ragline has no `ef_search`.
    ef_search = record.settings.get("ef_search", now.vector_index.ef_search)
    attempt.settings = now.model_copy(
        update={
            "search": search,
            "reranker": record.settings["reranker"],
            "vector_index": now.vector_index.model_copy(update={"ef_search": ef_search}),
        }
    )


def _add_golden(
    attempt: _Attempt,
    configuration: Configuration,
    record: EvaluationRecord,
    golden_folder: Path | None,
) -> None:
    """Set the golden set, from the first folder whose golden set has the stored version.

    If there is no such folder, add an obstacle instead.
    """
    configured = [one.golden for one in configuration.collections if one.name == record.collection]
    stored = None if record.golden_folder is None else Path(record.golden_folder)
    folders = [golden_folder] if golden_folder else [stored, *configured]
    found = []
    for folder in dict.fromkeys(one for one in folders if one is not None):
        try:
            golden = read_golden_set(folder, record.split or "test")
        except (GoldenSetError, OSError, UnicodeDecodeError) as error:
            found.append(f"{folder} cannot be read ({error})")
            continue
        if golden.content_hash == record.golden_version:
            attempt.golden = golden
            return
        found.append(f"{folder} has version {golden.content_hash}")
    there = "; ".join(found) or "no folder is known"
    attempt.obstacles.append(
        f"No folder has version {record.golden_version} of its golden set: {there}. Restore this "
        "version, for example with git, and name its folder with --golden."
    )


def _replace_settings(configuration: Configuration, settings: CollectionSettings) -> Configuration:
    others = [one for one in configuration.collections if one.name != settings.name]
    return configuration.model_copy(update={"collections": (*others, settings)})


def _list_changes(record: EvaluationRecord, attempt: _Attempt) -> tuple[Change, ...]:
    index = attempt.index
    pairs: list[tuple[str, object, object]] = [
        ("code_version", record.code_version, read_code_version())
    ]
    if record.settings is not None:
        hits = record.settings["hits"]
        # In the evaluations of older releases, the depth was that of all hits.
        depth = record.settings.get("depth_top_k", hits)
        pairs += [("hits", hits, EVALUATED_HITS), ("depth_top_k", depth, SERVED_TOP_K)]
    if index is not None:
        pairs += [
            ("space_fingerprint", record.space_fingerprint, index.space_fingerprint),
            ("chunker_fingerprint", record.chunker_fingerprint, index.chunker_fingerprint),
            ("parser_fingerprints", record.parser_fingerprints, [*index.parser_fingerprints]),
            ("content_fingerprint", record.content_fingerprint, index.content_fingerprint),
        ]
    return tuple(
        Change(name, _write(then), _write(now))
        for name, then, now in pairs
        if then is not None and then != now
    )


def _write(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _compare(record: EvaluationRecord, again: Evaluation) -> Iterable[ComparedFigure]:
    for name in dict.fromkeys([*record.measures, *again.measures]):
        yield ComparedFigure(name, record.measures.get(name), again.measures.get(name))
    unanswerable = again.unanswerable
    yield ComparedFigure("queries", record.queries, again.queries)
    yield ComparedFigure("failed", record.failed, again.failed)
    yield ComparedFigure("unanswerable", record.unanswerable, unanswerable.queries)
    with_hits = len(unanswerable.with_hits)
    yield ComparedFigure("unanswerable_with_hits", record.unanswerable_with_hits, with_hits)


def _compare_queries(
    then: QueryValues | None, again: Evaluation, golden: GoldenSet, tolerance: float
) -> tuple[ComparedQuery, ...] | None:
    """Return the queries whose figures differ, or None if their values were not stored."""
    if then is None:
        return None
    now, compared = again.query_values, []
    for key, query in golden.queries.items():
        figures = (
            ComparedFigure(name, then.get(name, {}).get(key), now.get(name, {}).get(key))
            for name in dict.fromkeys([*then, *now])
        )
        different = tuple(one for one in figures if not one.agrees(tolerance))
        if different:
            compared.append(ComparedQuery(key, query, different))
    return tuple(sorted(compared, key=lambda one: -one.largest_difference))
