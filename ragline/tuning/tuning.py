"""Tunes the settings of a collection: the entry point of this package.

The settings are chosen on the split `tune` of the golden set. The splits `gate` and `holdout` are
not used for the choice. Then the chosen settings are measured by searches for the queries of `gate`
and `holdout`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np

from ragline.configuration import CollectionSettings, Configuration, SearchSettings
from ragline.errors import GoldenSetError
from ragline.gate.comparison import Values
from ragline.gate.judgement import SEED
from ragline.golden_set import GoldenSet, read_golden_set
from ragline.golden_set.splits import Split
from ragline.model_cache import ModelCache
from ragline.progress import Progress, SilentProgress
from ragline.search.live_generation import LiveGeneration
from ragline.storage.database import Database
from ragline.tuning.choice import RERANK_SPACE, SEARCH_SPACE, Budget, Space, choose_settings
from ragline.tuning.chunking import build_trials, choose_chunking, list_chunking_changes
from ragline.tuning.measurement import MeasuredIndex, find_gain
from ragline.tuning.recombination import RerankedQueries, SearchedQueries
from ragline.tuning.report import Change, Stage, StageReport, TuningReport
from ragline.tuning.trial_index import open_trial_index

# With fewer queries, a choice fits single queries, and a realistic gain cannot be distinguished
# from chance.
MIN_QUERIES = 20
DEFAULT_BUDGET = Budget(trials=60, folds=5, seed=SEED)
DEFAULT_STAGES: tuple[Stage, ...] = ("search", "rerank")
UNTOUCHED: tuple[Split, ...] = ("gate", "holdout")


@dataclass(frozen=True, slots=True)
class GoldenParts:
    """The splits of a golden set: `tune` for the choice, and the untouched splits to measure it."""

    tune: GoldenSet
    untouched: dict[Split, GoldenSet]

    @property
    def untouched_count(self) -> int:
        return sum(len(golden.queries) for golden in self.untouched.values())


@dataclass(frozen=True, slots=True)
class _Tuning:
    """One tuning: the index that it measures, the golden set, and the effort (`Budget`)."""

    index: MeasuredIndex
    settings: CollectionSettings
    generation: LiveGeneration
    golden: GoldenParts
    budget: Budget
    trial_index: MeasuredIndex | None

    def report(self, stages: tuple[Stage, ...]) -> TuningReport:
        """Tune the settings of some stages, and return what was found."""
        started_at, started = datetime.now(UTC), perf_counter()
        found = [*self._tune_searches(stages)]
        if self.trial_index is not None:
            found.append(self._tune_chunking(self.trial_index))
        return TuningReport(
            collection=self.settings.name,
            generation=self.generation.id,
            golden_hash=self.golden.tune.content_hash,
            tune_queries=len(self.golden.tune.queries),
            untouched_queries=self.golden.untouched_count,
            stages=tuple(found),
            reranker=self.settings.reranker,
            folds=self.budget.folds,
            trials=self.budget.trials,
            seed=self.budget.seed,
            ragline_version=version("ragline"),
            started_at=started_at,
            seconds=perf_counter() - started,
        )

    def _tune_searches(self, stages: tuple[Stage, ...]) -> list[StageReport]:
        """Tune the settings of every search, and then those of reranking."""
        present = self.settings.search
        searched = SearchedQueries(
            self.index.make_searcher(), self.settings.name, self.generation.id, self.golden.tune,
            _find_largest(present, SEARCH_SPACE, "candidates"), self.index.progress,
        )  # fmt: skip
        choice = choose_settings(searched.score, present, SEARCH_SPACE, searched.keys, self.budget)
        found = [
            self._report(
                "search", list_changes(present, choice.settings, SEARCH_SPACE),
                (choice.present, choice.validated), self._measure_both(present, choice.settings),
            )
        ]  # fmt: skip
        if "rerank" in stages:
            is_proposed = found[0].decision == "propose"
            found.append(
                self._tune_reranking(searched, choice.settings if is_proposed else present)
            )
        return found

    def _tune_reranking(self, searched: SearchedQueries, present: SearchSettings) -> StageReport:
        searcher = self.index.make_searcher()
        reranked = RerankedQueries(
            searched, present, searcher.reranker(self.settings.reranker, self.generation.model),
            _find_largest(present, RERANK_SPACE, "rerank_candidates"),
            self.index.progress,
        )  # fmt: skip
        choice = choose_settings(reranked.score, present, RERANK_SPACE, searched.keys, self.budget)
        return self._report(
            "rerank", list_changes(present, choice.settings, RERANK_SPACE),
            (choice.present, choice.validated),
            self._measure_both(present, choice.settings, should_rerank=True),
        )  # fmt: skip

    def _tune_chunking(self, index: MeasuredIndex) -> StageReport:
        keys = tuple(self.golden.tune.queries)
        chunking = self.settings.chunking
        present = (chunking.max_tokens, chunking.overlap_tokens)
        trials = build_trials(index, self.settings, self.golden.tune)
        measured = {one: values for one, (_, values) in trials.items()}
        chosen, validated = choose_chunking(measured, present, keys, self.budget.folds)

        def measure(golden: GoldenSet) -> tuple[Values, Values]:
            before, after = (
                index.measure(self.settings, trials[one][0], golden) for one in (present, chosen)
            )
            return before, after

        return self._report(
            "chunking", list_chunking_changes(present, chosen),
            (measured[present], validated), measure,
        )  # fmt: skip

    def _measure_both(
        self, present: SearchSettings, chosen: SearchSettings, *, should_rerank: bool = False
    ) -> Callable[[GoldenSet], tuple[Values, Values]]:
        """Return a function that measures queries with both settings on the live generation."""

        def measure(golden: GoldenSet) -> tuple[Values, Values]:
            before, after = (
                self.index.measure(
                    self.settings.model_copy(update={"search": one}), self.generation.id, golden,
                    should_rerank=should_rerank,
                )
                for one in (present, chosen)
            )  # fmt: skip
            return before, after

        return measure

    def _report(
        self,
        stage: Stage,
        changes: tuple[Change, ...],
        tuned: tuple[Values, Values],
        measure: Callable[[GoldenSet], tuple[Values, Values]],
    ) -> StageReport:
        """Return the report of a stage. The cross-validated gain decides what is proposed."""
        if not changes:
            return StageReport(stage, "keep", (), None, None, {})
        seed = self.budget.seed
        validated = find_gain(*tuned, seed)
        values = {split: measure(golden) for split, golden in self.golden.untouched.items()}
        before, after = (np.concatenate(both) for both in zip(*values.values(), strict=True))
        return StageReport(
            stage,
            "propose" if validated.low > 0 else "keep",
            changes,
            validated,
            find_gain(before, after, seed),
            {split: find_gain(*both, seed) for split, both in values.items()},
        )


def tune_collection(
    database: Database,
    configuration: Configuration,
    collection: str,
    golden_folder: Path,
    *,
    budget: Budget = DEFAULT_BUDGET,
    stages: tuple[Stage, ...] = DEFAULT_STAGES,
    models: ModelCache | None = None,
    progress: Progress | None = None,
) -> TuningReport:
    """Choose settings of a collection on its live generation. The index does not change.

    The stage `search` is always tuned. Two calls with the same index and budget choose the same
    settings. The stage `chunking` builds generations in a scratch database.

    Raises:
        UnknownCollectionError: the configuration has no such collection.
        IndexNotReadyError: the collection has no live generation.
        GoldenSetError: the golden set cannot be read, or it has too few judged queries.
        ModelUnavailableError: the model or the reranker cannot be loaded.
        SearchTimeoutError: a search took longer than a minute.
        DatabaseUnavailableError: the user may not create a scratch database.
    """
    settings = configuration.collection(collection)
    index = MeasuredIndex(
        database, configuration, models or ModelCache(configuration.home / "models"),
        progress or SilentProgress(),
    )  # fmt: skip
    generation = index.make_searcher().live_generation(collection)
    golden = read_parts(golden_folder)
    # The trial index is opened first. The other stages take minutes, and an error after them would
    # lose their result.
    trial = open_trial_index(index, collection) if "chunking" in stages else nullcontext()
    with trial as trial_index:
        return _Tuning(index, settings, generation, golden, budget, trial_index).report(stages)


def read_parts(folder: Path) -> GoldenParts:
    """Read the splits of a golden set.

    Raises:
        GoldenSetError: the golden set cannot be read, one of its parts has too few judged queries,
            or a query is in two splits.
    """
    parts = GoldenParts(
        read_golden_set(folder, "tune"),
        {split: read_golden_set(folder, split) for split in UNTOUCHED},
    )
    for split, golden in parts.untouched.items():
        if shared := sorted(golden.queries.keys() & parts.tune.queries.keys()):
            raise GoldenSetError(
                f"{folder}: the query {shared[0]!r} is in the splits tune and {split}; remove its "
                "judgements from one of the files"
            )
    for part, count in (
        ("the split tune", len(parts.tune.queries)),
        ("gate and holdout together", parts.untouched_count),
    ):
        if count < MIN_QUERIES:
            raise GoldenSetError(
                f"{folder}: {part} has {count} judged queries, and a tuning needs at least "
                f"{MIN_QUERIES}; judge more queries with `ragline golden add` or `ragline golden "
                "review`. About half of all queries belong to the split tune"
            )
    return parts


def list_changes(
    present: SearchSettings, chosen: SearchSettings, space: Space
) -> tuple[Change, ...]:
    """Return the settings in `space` that differ between `present` and `chosen`."""
    pairs = ((name, getattr(present, name), getattr(chosen, name)) for name in space)
    return tuple(Change(name, old, new) for name, old, new in pairs if old != new)


def _find_largest(settings: SearchSettings, space: Space, name: str) -> int:
    """Return the largest value that is tried for a setting, including its present value."""
    return int(max(*space[name], getattr(settings, name)))
