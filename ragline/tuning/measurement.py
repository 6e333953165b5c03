"""Measures the nDCG@10 of each query of a golden set by searches in one generation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ragline.configuration import CollectionSettings, Configuration
from ragline.evaluation.evaluation import (
    ALL_PRINCIPALS,
    EVALUATED_HITS,
    SERVED_TOP_K,
    Run,
    score_documents,
)
from ragline.gate.checks import DECIDING_MEASURE
from ragline.gate.comparison import Values, compare_values
from ragline.gate.paired_evaluation import list_values
from ragline.golden_set import GoldenSet
from ragline.model_cache import ModelCache
from ragline.progress import Progress
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database
from ragline.tuning.report import Gain

# The time limit of one search. It is long, because no caller waits for the search.
TIMEOUT_MS = 60_000


@dataclass(frozen=True, slots=True)
class MeasuredIndex:
    """A database with generations of a collection, and everything that their measurement needs."""

    database: Database
    configuration: Configuration
    models: ModelCache
    progress: Progress

    def make_searcher(self, settings: CollectionSettings | None = None) -> Searcher:
        """Return a searcher. `settings` replaces the configured settings of the same collection."""
        configuration = self.configuration
        if settings is not None:
            configuration = configuration.replace_collection(settings)
        return Searcher(self.database, configuration, timeout_ms=TIMEOUT_MS, models=self.models)

    def measure(
        self,
        settings: CollectionSettings,
        generation_id: int,
        golden: GoldenSet,
        *,
        should_rerank: bool = False,
    ) -> Values:
        """Search for each query with some settings, and return the nDCG@10 of each query.

        The values are in the order of `golden.queries`.
        """
        searcher = self.make_searcher(settings)
        run: Run = {}
        name = f"{settings.name}: measure by searches"
        with self.progress.stage(name, total=len(golden.queries), unit="queries") as advance:
            for key, query in golden.queries.items():
                request = SearchRequest(
                    settings.name, query, EVALUATED_HITS,
                    rerank=should_rerank, principals=ALL_PRINCIPALS, depth_top_k=SERVED_TOP_K,
                )  # fmt: skip
                answer = searcher.search(request, generation_id=generation_id)
                run[key] = score_documents(answer, partial(golden.name_document, key))
                advance(1)
        return list_values(golden.judgements, run, list(golden.queries))[DECIDING_MEASURE]


def find_gain(present: Values, chosen: Values, seed: int) -> Gain:
    """Compare the values of the same queries, with the interval of a paired bootstrap."""
    found = compare_values(DECIDING_MEASURE, present, chosen, seed)
    return Gain(
        found.queries, found.live, found.candidate, found.difference, found.low, found.high,
        found.fell, found.rose,
    )  # fmt: skip
