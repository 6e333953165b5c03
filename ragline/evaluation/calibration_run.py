"""Calibrates the confidence of a generation on a golden set: searches, fits and stores.

Only the queries of the split `tune` are used. So the gate and a report on `holdout` measure the
confidences on queries that no calibration knows. A hit counts as relevant if the golden set judges
its document as relevant for the query. A hit without a judgement counts as not relevant, and so do
all hits of a query without an answer.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ragline.confidence.calibration import SearchKind
from ragline.confidence.fitting import MIN_QUERIES, JudgedHits, cross_validate, fit_calibration
from ragline.confidence.stored_calibrations import (
    CalibrationOrigin,
    FittedCalibration,
    read_calibrations,
    store_calibrations,
)
from ragline.configuration import CollectionSettings
from ragline.counts import count
from ragline.errors import GoldenSetError, SearchTimeoutError
from ragline.evaluation.evaluation import ALL_PRINCIPALS
from ragline.fingerprints import fingerprint
from ragline.golden_set import GoldenSet, read_golden_set
from ragline.golden_set.reading import qrels_path
from ragline.golden_set.splits import SHARES, Split
from ragline.progress import Progress, SilentProgress
from ragline.search.entries import Entry
from ragline.search.hit_confidence import READERS
from ragline.search.live_generation import read_generation
from ragline.search.messages import MODES, SearchRequest
from ragline.search.rerank_stage import resolve_reranker
from ragline.search.searcher import Searcher
from ragline.storage.database import Database

# The split whose queries are used.
SPLIT: Split = "tune"
# As many hits as a search returns by default.
CALIBRATED_HITS = 10
# The kinds of search that an evaluation measures.
KINDS = (*(SearchKind(mode, is_reranked=False) for mode in MODES), SearchKind("hybrid", True))


def refresh_calibrations(
    database: Database,
    searcher: Searcher,
    settings: CollectionSettings,
    golden_folder: Path,
    generation_id: int,
    *,
    progress: Progress | None = None,
    is_forced: bool = False,
) -> list[FittedCalibration]:
    """Return the calibrations of a generation, one for each kind of search.

    They are fitted again and stored if the golden set, the search settings or the version of
    Ragline has changed since the last fit, or if `is_forced` is set. Otherwise they are only read.

    Raises:
        UnknownGenerationError: the collection has no generation with this id that can be searched.
        GoldenSetError: the golden set cannot be read.
        ModelUnavailableError: the model of the generation or the reranker cannot be loaded.
    """
    # Found before the fit: if the golden set changes meanwhile, the result counts as outdated.
    origin = make_origin(settings, golden_folder)
    current = _find_current(database, settings, generation_id, origin)
    if current is not None and not is_forced:
        return current
    fitted = fit_generation(searcher, settings, golden_folder, generation_id, progress)
    store_calibrations(database, generation_id, fitted, origin)
    return fitted


def find_calibrations(
    database: Database, settings: CollectionSettings, golden_folder: Path, generation_id: int
) -> list[FittedCalibration] | None:
    """Return the stored calibrations of a generation, one for each kind of search.

    The result is None if one is missing or outdated. A result without a calibration is a stored
    result too: it says why the golden set is too small. Nothing is written.

    Raises:
        UnknownGenerationError: the collection has no generation with this id that can be searched.
        GoldenSetError: the golden set cannot be read.
    """
    origin = make_origin(settings, golden_folder)
    return _find_current(database, settings, generation_id, origin)


def _find_current(
    database: Database, settings: CollectionSettings, generation_id: int, origin: CalibrationOrigin
) -> list[FittedCalibration] | None:
    with database.connect() as connection:
        read_generation(connection, settings.name, generation_id)
        stored = read_calibrations(connection, generation_id)
    is_current = all(one.origin == origin for one in stored.values())
    if not is_current or stored.keys() != set(KINDS):
        return None
    return [stored[kind].fitted for kind in KINDS]


def make_origin(settings: CollectionSettings, golden_folder: Path) -> CalibrationOrigin:
    """Return what the calibrations of a generation depend on in addition to the generation.

    Raises:
        GoldenSetError: the golden set cannot be read.
    """
    search = settings.search.model_dump(exclude={"min_confidence"})
    used = fingerprint({"search": search, "reranker": settings.reranker})
    return CalibrationOrigin(_find_version(golden_folder), used, version("ragline"))


def _find_version(golden_folder: Path) -> str:
    """Return the version of the judgements to which calibrations are fitted."""
    judged = read_golden_set(golden_folder)
    if not qrels_path(golden_folder, SPLIT).is_file():
        return judged.content_hash
    try:
        return read_golden_set(golden_folder, SPLIT).content_hash
    except GoldenSetError:
        return judged.content_hash


def read_fitted_queries(golden_folder: Path) -> frozenset[str]:
    """Return the ids of the queries of a golden set to which calibrations are fitted."""
    try:
        golden = read_golden_set(golden_folder, SPLIT)
    except GoldenSetError:
        return frozenset()
    return frozenset(golden.queries | golden.unanswerable)


def fit_generation(
    searcher: Searcher,
    settings: CollectionSettings,
    golden_folder: Path,
    generation_id: int,
    progress: Progress | None = None,
) -> list[FittedCalibration]:
    """Fit the calibration of each kind of search, and return them. Nothing is stored.

    If the golden set has too few queries, nothing is searched, and each result has the reason.
    """
    try:
        golden = read_golden_set(golden_folder, SPLIT)
    except GoldenSetError as error:
        return [FittedCalibration(kind, None, str(error), {}) for kind in KINDS]
    queries = len(golden.queries) + len(golden.unanswerable)
    if queries < MIN_QUERIES:
        return [FittedCalibration(kind, None, describe_small_split(queries), {}) for kind in KINDS]
    fitted = []
    name = f"{settings.name}: calibrate generation {generation_id}"
    with (progress or SilentProgress()).stage(
        name, total=len(KINDS) * queries, unit="queries"
    ) as advance:
        for kind in KINDS:
            hits = collect_hits(searcher, settings, golden, kind, generation_id)
            fitted.append(fit_kind(settings, kind, hits))
            advance(queries)
    return fitted


def describe_small_split(queries: int) -> str:
    """Say that a split of `queries` queries is too small, and how many queries are needed."""
    return (
        f"the split {SPLIT} of the golden set has {count(queries, 'query', 'queries')}, and a "
        f"calibration needs at least {MIN_QUERIES}; a golden set of about "
        f"{MIN_QUERIES * 100 // SHARES[SPLIT]} queries has so many in this split"
    )


def fit_kind(settings: CollectionSettings, kind: SearchKind, hits: JudgedHits) -> FittedCalibration:
    """Fit the calibration of one kind of search.

    If there are too few hits, the result contains the reason and no calibration.
    """
    shortage = hits.describe_shortage()
    if shortage is not None:
        reason = f"the split {SPLIT} of the golden set has {shortage}"
        return FittedCalibration(kind, None, reason, {})
    calibration = fit_calibration(hits)
    if kind.is_reranked:
        calibration = replace(calibration, reranker=_name_reranker(settings))
    return FittedCalibration(kind, calibration, None, asdict(cross_validate(hits)))


def collect_hits(
    searcher: Searcher,
    settings: CollectionSettings,
    golden: GoldenSet,
    kind: SearchKind,
    generation_id: int,
) -> JudgedHits:
    """Search for each query of a golden set, and judge the first hits.

    A query that times out gives no hits.
    """
    rows: list[tuple[list[float], bool, int]] = []
    queries = golden.queries | golden.unanswerable
    for number, (key, query) in enumerate(queries.items()):
        request = SearchRequest(
            settings.name, query, CALIBRATED_HITS, kind.mode, kind.is_reranked, ALL_PRINCIPALS
        )
        for entry in _search(searcher, request, generation_id):
            evidence = [READERS[name](entry) for name in kind.evidence]
            values = [value for value in evidence if value is not None]
            if len(values) == len(evidence):
                rows.append((values, _is_relevant(golden, key, entry), number))
    return JudgedHits(
        kind.evidence,
        np.array([row[0] for row in rows], dtype=np.float64).reshape(-1, len(kind.evidence)),
        np.array([row[1] for row in rows], dtype=np.float64),
        np.array([row[2] for row in rows], dtype=np.int64),
    )


def _is_relevant(golden: GoldenSet, key: str, entry: Entry) -> bool:
    name = golden.name_document(key, entry.row["source"], entry.row["document_id"])
    return golden.judgements.get(key, {}).get(name, 0) > 0


def _search(searcher: Searcher, request: SearchRequest, generation_id: int) -> list[Entry]:
    try:
        retrieval = searcher.prepare(request, generation_id=generation_id)
        return searcher.rank(request, retrieval)[:CALIBRATED_HITS]
    except SearchTimeoutError:
        return []


def _name_reranker(settings: CollectionSettings) -> str:
    return resolve_reranker(SearchRequest(settings.name, "", rerank=True), settings)
