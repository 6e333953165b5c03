"""The entry point of the gate: it judges a candidate and returns the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from ragline.code_version import read_code_version
from ragline.configuration import CollectionSettings, Configuration
from ragline.configuration.released_settings import list_changed_settings, read_released_part
from ragline.evaluation.calibration_run import read_fitted_queries
from ragline.evaluation.judged_documents import find_unknown_documents
from ragline.gate.abstention import (
    check_abstention,
    choose_queries,
    compare_abstention,
    find_obstacle,
)
from ragline.gate.checks import (
    DECIDING_MEASURE,
    RERANKED,
    check_golden_set,
    check_gone_judgements,
    check_measure,
    check_slices,
    check_thresholds,
    compare_measures,
    compare_slices,
    find_verdict,
    state_thresholds,
)
from ragline.gate.comparison import Values
from ragline.gate.generation_choice import choose_generations
from ragline.gate.index_checks import (
    check_index_recall,
    check_latency,
    check_sync_proof,
    check_vector_index,
    find_index_recall,
    measure_latency,
)
from ragline.gate.paired_evaluation import PairedEvaluation, Side, evaluate_pair
from ragline.gate.report import (
    NAMED_DOCUMENTS,
    Check,
    Comparison,
    FallenQuery,
    GateReport,
    GenerationFacts,
    Latency,
)
from ragline.gate.reranked_searches import (
    check_reranking,
    is_reranking_judged,
    merge_fallen,
    name_values,
)
from ragline.gate.shadow_checks import check_shadow_reads
from ragline.gate.side_calibrations import Fitted, SideCalibrator
from ragline.gate.slices import find_slices, read_tags
from ragline.golden_set import GoldenSet, read_golden_set
from ragline.golden_set.reading import DEFAULT_QRELS
from ragline.lifecycle.forced_releases import use_compared_release
from ragline.lifecycle.release_conditions import fingerprint_settings
from ragline.model_cache import ModelCache
from ragline.progress import Progress, SilentProgress
from ragline.rollout.shadow_reads import read_shadow_figures
from ragline.search.searcher import Searcher
from ragline.storage.database import Database

# The default seed of the bootstrap and of the permutation test.
SEED = 20_261_129


@dataclass(slots=True)
class _Measurements:
    """What the gate has measured so far."""

    checks: list[Check] = field(default_factory=list)
    measures: list[Comparison] = field(default_factory=list)
    slices: list[Comparison] = field(default_factory=list)
    abstention: list[Comparison] = field(default_factory=list)
    evaluation: PairedEvaluation | None = None
    index_recall: float | None = None
    latency: Latency | None = None
    fallen: tuple[FallenQuery, ...] = ()


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate that is ready to run: both generations, the searcher of each, and the golden set.

    `settings` are those of the configuration file, and `released` those of the current release.
    With `is_read_only`, the run stores no calibration.
    """

    database: Database
    configuration: Configuration
    settings: CollectionSettings
    golden: GoldenSet | None
    golden_folder: Path | None
    split: str
    live: GenerationFacts | None
    candidate: GenerationFacts
    released: CollectionSettings
    searcher: Searcher
    live_searcher: Searcher
    progress: Progress
    seed: int
    is_read_only: bool

    @property
    def golden_set_version(self) -> str | None:
        """The version of the golden set, or None without a golden set."""
        return None if self.golden is None else self.golden.content_hash

    @property
    def settings_fingerprint(self) -> str:
        """A hash of the settings of the gate and of the candidate's searches."""
        return fingerprint_settings(self.settings)

    @property
    def live_settings_fingerprint(self) -> str:
        """The same hash for the live generation."""
        return fingerprint_settings(self.released)

    @property
    def queries(self) -> list[str]:
        return [] if self.golden is None else list(self.golden.queries.values())

    def load_models(self) -> None:
        """Load the models that the searches of the gate need; none without a golden set.

        Raises:
            ModelUnavailableError: the model of one of the generations cannot be loaded.
        """
        if self.golden is None:
            return
        should_rerank = is_reranking_judged(self.released, self.settings)
        sides = [(self.candidate, self.settings)]
        if self.live is not None:
            sides.append((self.live, self.released))
        for generation, settings in sides:
            self.searcher.models.embedder(generation.model)
            if should_rerank:
                self.searcher.models.reranker(settings.reranker, generation.model)

    def measure(self) -> _Measurements:
        """Make all checks: those of the index first, then those with the golden set."""
        found = _Measurements()
        name = self.settings.name
        found.checks.append(
            check_sync_proof(self.database, self.configuration, name, self.candidate)
        )
        self._measure_index(found)
        if self.live is not None and self.live != self.candidate:
            figures = read_shadow_figures(self.database, self.live.id, self.candidate.id)
            found.checks.append(check_shadow_reads(self.settings, figures))
        if self.live is None:
            reason = f"The collection {name} has no live generation to compare with."
            found.checks.append(Check("live_generation", "undecided", reason))
        elif self._has_usable_golden_set(found) and self.golden is not None:
            live = Side(self.live_searcher, self.live.id)
            sides = (live, Side(self.searcher, self.candidate.id))
            self._measure_latency(found, sides)
            self._measure_quality(found, sides, self.golden)
        return found

    def _measure_index(self, found: _Measurements) -> None:
        missing = check_vector_index(self.settings, self.candidate)
        if missing is None:
            found.index_recall = find_index_recall(
                self.database, self.configuration, self.searcher.models, self.settings,
                self.candidate, self.queries,
            )  # fmt: skip
            missing = check_index_recall(self.settings, self.candidate, found.index_recall)
        found.checks.append(missing)

    def _has_usable_golden_set(self, found: _Measurements) -> bool:
        name = self.settings.name
        if self.golden is None:
            reason = (
                f"The collection {name} has no golden set. Add `golden: FOLDER` to the collection, "
                "or name a folder with --golden."
            )
            found.checks.append(Check("golden_set", "undecided", reason))
            return False
        unknown = find_unknown_documents(self.database, name, self.golden)
        refusal = check_gone_judgements(self.settings.gate, self.golden, len(unknown.judgements))
        if refusal is not None:
            named = f"{refusal.reason}{NAMED_DOCUMENTS}{unknown.describe(name)}."
            found.checks.append(replace(refusal, reason=named))
        return refusal is None

    def _measure_latency(self, found: _Measurements, sides: tuple[Side, Side]) -> None:
        found.latency = measure_latency(self.settings.name, self.queries, *sides)
        if found.latency is not None:
            found.checks.append(check_latency(self.settings, self.candidate, found.latency))

    def _measure_quality(
        self, found: _Measurements, sides: tuple[Side, Side], golden: GoldenSet
    ) -> None:
        name, gate = self.settings.name, self.settings.gate
        calibrations = self._calibrate(golden, sides)
        pair = evaluate_pair(name, golden, sides, self.progress)
        found.evaluation, found.fallen = pair, pair.fallen
        values = self._rerank(found, pair, sides, golden)
        found.measures = state_thresholds(
            compare_measures(*values, gate, self.seed), self.settings.thresholds
        )
        tags = {} if self.golden_folder is None else read_tags(self.golden_folder)
        found.slices = compare_slices(
            pair.keys, pair.live[DECIDING_MEASURE], pair.candidate[DECIDING_MEASURE],
            find_slices(self.database, name, golden, tags), gate, self.seed,
        )  # fmt: skip
        decided = [one for one in found.measures if one.margin is not None]
        deciding = next(one for one in decided if one.measure == DECIDING_MEASURE)
        found.checks.append(check_golden_set(gate, len(pair.keys), deciding, len(decided)))
        if len(pair.keys) >= gate.min_queries:
            reranked = [one for one in decided if one.measure.startswith(RERANKED)]
            found.checks += [check_measure(one) for one in decided if one not in reranked]
            found.checks += [check_reranking(reranked), check_slices(found.slices)]
        found.checks.append(check_thresholds(found.measures))
        found.checks.append(self._check_abstention(found, pair, golden, calibrations))

    def _rerank(
        self,
        found: _Measurements,
        pair: PairedEvaluation,
        sides: tuple[Side, Side],
        golden: GoldenSet,
    ) -> tuple[dict[str, Values], dict[str, Values]]:
        """Return the values of both sides, with those of reranked searches if they are judged."""
        if not is_reranking_judged(self.released, self.settings):
            return pair.live, pair.candidate
        reranked = evaluate_pair(
            self.settings.name, golden, sides, self.progress, should_rerank=True
        )
        found.fallen = merge_fallen(pair, reranked)
        return (
            pair.live | name_values(reranked.live),
            pair.candidate | name_values(reranked.candidate),
        )

    def _calibrate(self, golden: GoldenSet, sides: tuple[Side, Side]) -> list[Fitted]:
        folder = self.settings.golden or self.golden_folder
        if folder is None:
            return []
        calibrator = SideCalibrator(
            self.database, self.configuration, self.settings, self.released, folder,
            self.progress, self.is_read_only,
        )  # fmt: skip
        return calibrator.calibrate(golden, sides)

    def _check_abstention(
        self,
        found: _Measurements,
        pair: PairedEvaluation,
        golden: GoldenSet,
        calibrations: Sequence[Fitted],
    ) -> Check:
        folder = self.settings.golden or self.golden_folder
        fitted_to = frozenset() if folder is None else read_fitted_queries(folder)
        queries = choose_queries(golden, fitted_to)
        obstacle = find_obstacle(queries, calibrations)
        if obstacle is not None:
            return obstacle
        found.abstention = compare_abstention(
            queries, pair.live_confidences, pair.candidate_confidences, self.settings, self.seed
        )
        return check_abstention(found.abstention, self.settings.search.confident_from)


def judge_candidate(
    database: Database,
    configuration: Configuration,
    collection: str,
    candidate_id: int | None = None,
    *,
    golden_folder: Path | None = None,
    split: str = DEFAULT_QRELS,
    models: ModelCache | None = None,
    progress: Progress | None = None,
) -> GateReport:
    """Judge a candidate against the live generation of its collection.

    `prepare_gate` describes the arguments and raises the errors. No generation changes its state.
    If the index does not change, two calls give the same report, except for the latency.
    Calibrations that are missing or outdated are fitted and stored, if the golden set has queries
    without an answer, or if the live generation is calibrated.
    """
    return run_gate(
        prepare_gate(
            database, configuration, collection, candidate_id, golden_folder=golden_folder,
            split=split, models=models, progress=progress,
        )
    )  # fmt: skip


def prepare_gate(
    database: Database,
    configuration: Configuration,
    collection: str,
    candidate_id: int | None = None,
    *,
    golden_folder: Path | None = None,
    split: str = DEFAULT_QRELS,
    models: ModelCache | None = None,
    progress: Progress | None = None,
    seed: int = SEED,
    is_read_only: bool = False,
) -> Gate:
    """Choose the generations and read the golden set. Nothing is searched and nothing is written.

    Without `candidate_id`, the newest complete candidate is judged. If no candidate is complete,
    the changed search settings are judged. The live generation is searched with the search settings
    of its release, and the candidate with those of the configuration file. Without `golden_folder`,
    the golden set of the collection's settings is used. `split` names the file or the split of the
    judgements, as in `read_golden_set`. With `is_read_only`, the run uses stored calibrations.

    Raises:
        UnknownCollectionError: the configuration has no such collection.
        UnknownGenerationError: the generation does not exist, or there is no generation to judge.
        GoldenSetError: the golden set cannot be read.
    """
    settings = configuration.collection(collection)
    released = use_compared_release(database, configuration, collection, candidate_id)
    changed = list_changed_settings(released.collection(collection), settings)
    live, candidate = choose_generations(
        database, collection, candidate_id, has_new_settings=bool(changed)
    )
    models = models or ModelCache(configuration.home / "models")
    folder = golden_folder or settings.golden
    return Gate(
        database=database,
        configuration=configuration,
        settings=settings,
        golden=None if folder is None else read_golden_set(folder, split),
        golden_folder=folder,
        split=split,
        live=live,
        candidate=candidate,
        released=released.collection(collection),
        searcher=Searcher(database, configuration, models=models),
        live_searcher=Searcher(database, released, models=models),
        progress=progress or SilentProgress(),
        seed=seed,
        is_read_only=is_read_only,
    )


def run_gate(gate: Gate) -> GateReport:
    """Make all checks, and return the report.

    Raises:
        UnknownGenerationError: the candidate was dropped after it was chosen.
        ModelUnavailableError: the model of one of the generations cannot be loaded.
    """
    started_at, started = datetime.now(UTC), perf_counter()
    found = gate.measure()
    return _report(gate, found, started_at, perf_counter() - started)


def _report(gate: Gate, found: _Measurements, started_at: datetime, seconds: float) -> GateReport:
    verdict, reasons = find_verdict(found.checks)
    pair = found.evaluation
    return GateReport(
        collection=gate.settings.name,
        live=gate.live,
        candidate=gate.candidate,
        verdict=verdict,
        reasons=reasons,
        checks=tuple(found.checks),
        measures=tuple(found.measures),
        slices=tuple(found.slices),
        abstention=tuple(found.abstention),
        index_recall=found.index_recall,
        latency=found.latency,
        fallen=found.fallen,
        queries=len(gate.queries),
        failed_live=0 if pair is None else pair.failed_live,
        failed_candidate=0 if pair is None else pair.failed_candidate,
        golden_set_version=gate.golden_set_version,
        split=None if gate.golden is None else gate.split,
        settings_fingerprint=gate.settings_fingerprint,
        code_version=read_code_version(),
        seed=gate.seed,
        started_at=started_at,
        seconds=seconds,
        live_settings_fingerprint=gate.live_settings_fingerprint,
        changed_settings=tuple(list_changed_settings(gate.released, gate.settings)),
        searched_settings=read_released_part(gate.settings),
    )
