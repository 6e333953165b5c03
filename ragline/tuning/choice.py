"""Chooses the best values of some settings with optuna, and cross-validates the choice.

Chosen settings fit the queries on which they were chosen. So the gain on these queries is larger
than the true gain. Therefore the queries are divided into folds. For each fold, settings are chosen
on the other queries and measured on the queries of the fold. Only this cross-validated gain decides
whether the settings are proposed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragline.configuration import SearchSettings
from ragline.gate.comparison import Values

# A function that returns the score of each query with some settings, in a fixed order of queries.
ScoreQueries = Callable[[SearchSettings], Values]
# The values that are tried for each setting, ascending.
Space = Mapping[str, Sequence[float]]

# A changed setting must raise the mean score by at least this value. Otherwise its present value is
# kept, so that a proposal contains no change without effect.
MIN_STEP = 0.001
WEIGHTS = tuple(round(0.05 * step, 2) for step in range(21))
# The values for the settings of every search. With the feedback weight 0.5, the first hits count
# half as much as the query.
SEARCH_SPACE: Space = {
    "vector_weight": WEIGHTS,
    "feedback_weight": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
    "candidates": (50, 100, 200),
}
# The values for the settings of reranked searches. Without a GPU, more candidates take seconds.
RERANK_SPACE: Space = {"rerank_weight": WEIGHTS, "rerank_candidates": (10, 20, 30, 50)}


@dataclass(frozen=True, slots=True)
class Budget:
    """The effort of a tuning: the number of trials for each choice, and the number of folds.

    `seed` is the seed of the trials.
    """

    trials: int
    folds: int
    seed: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings that were chosen on all queries.

    `validated` contains the score of each query with the settings that were chosen without the fold
    of the query. `present` contains its score with the present settings.
    """

    settings: SearchSettings
    present: Values
    validated: Values


def choose_settings(
    score: ScoreQueries,
    present: SearchSettings,
    space: Space,
    keys: Sequence[str],
    budget: Budget,
) -> Choice:
    """Choose the best settings on all queries, and cross-validate the choice.

    The present value of each setting is always one of the tried values.
    """
    own = {name: sorted({*values, getattr(present, name)}) for name, values in space.items()}
    folds = assign_folds(keys, budget.folds)
    validated = np.empty(len(keys))
    for fold in range(budget.folds):
        chosen = _choose(score, present, own, folds != fold, budget)
        validated[folds == fold] = score(chosen)[folds == fold]
    best = _choose(score, present, own, np.ones(len(keys), bool), budget)
    return Choice(best, score(present), validated)


def assign_folds(keys: Sequence[str], folds: int) -> NDArray[np.int64]:
    """Return the number of each query's fold. The sizes of two folds differ by at most one.

    The order of the SHA-256 hashes of the ids decides, and not the order of `keys`.
    """
    hashes = [hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest() for key in keys]
    assigned = np.empty(len(keys), np.int64)
    assigned[sorted(range(len(keys)), key=hashes.__getitem__)] = np.arange(len(keys)) % folds
    return assigned


def _choose(
    score: ScoreQueries,
    present: SearchSettings,
    space: Space,
    used: NDArray[np.bool_],
    budget: Budget,
) -> SearchSettings:
    """Choose the settings with the best mean score over the queries for which `used` is true."""

    def mean(settings: SearchSettings) -> float:
        return float(score(settings)[used].mean())

    return _keep_present(mean, present, _find_best(mean, present, space, budget))


def _find_best(
    mean: Callable[[SearchSettings], float], present: SearchSettings, space: Space, budget: Budget
) -> dict[str, float]:
    """Return the best values that optuna finds. The first trial has the present settings."""
    # optuna takes a second to import, and only a tuning needs it.
    import optuna

    def measure(trial: optuna.Trial) -> float:
        places = {name: trial.suggest_int(name, 0, len(space[name]) - 1) for name in space}
        values = {name: space[name][place] for name, place in places.items()}
        return mean(present.model_copy(update=values))

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=budget.seed)
    )
    study.enqueue_trial({name: space[name].index(getattr(present, name)) for name in space})
    study.optimize(measure, n_trials=budget.trials)
    return {name: space[name][place] for name, place in study.best_params.items()}


def _keep_present(
    mean: Callable[[SearchSettings], float],
    present: SearchSettings,
    best: Mapping[str, float],
) -> SearchSettings:
    """Return the best settings, but keep the present value of a setting that gains too little."""
    chosen = present.model_copy(update=best)
    for name in best:
        kept = chosen.model_copy(update={name: getattr(present, name)})
        if mean(kept) > mean(chosen) - MIN_STEP:
            chosen = kept
    return chosen
