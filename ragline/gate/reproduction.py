"""Judges the generations of a stored gate report again, and compares the figures.

`ragline.evaluation.reproduction` does the same for an evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ragline.code_version import read_code_version
from ragline.configuration import Configuration
from ragline.errors import (
    GoldenSetError,
    ModelUnavailableError,
    UnknownCollectionError,
    UnknownGenerationError,
)
from ragline.evaluation.reproduction import (
    TOLERANCE,
    Change,
    ComparedFigure,
    ComparedQuery,
    Outcome,
)
from ragline.gate.judgement import Gate, prepare_gate, run_gate
from ragline.gate.report import GateReport
from ragline.gate.stored_reports import StoredReport
from ragline.golden_set.reading import DEFAULT_QRELS
from ragline.model_cache import ModelCache
from ragline.progress import Progress
from ragline.storage.database import Database


@dataclass(frozen=True, slots=True)
class GateReproduction:
    """The result for a gate report. The fields mean the same as in `Reproduction`.

    The figures are the means and the p-values of all measures. If the verdict differs, it is a
    change and not a figure, because another latency can change the verdict while all figures agree.
    `queries` is None, because a report stores no values of each query.
    """

    report_id: int
    collection: str
    outcome: Outcome
    tolerance: float
    figures: tuple[ComparedFigure, ...]
    changes: tuple[Change, ...]
    obstacles: tuple[str, ...]
    queries: tuple[ComparedQuery, ...] | None = None

    @property
    def title(self) -> str:
        """The name of the report for people."""
        return f"gate report {self.report_id} of {self.collection}"


def reproduce_report(
    database: Database,
    configuration: Configuration,
    stored: StoredReport,
    *,
    golden_folder: Path | None = None,
    tolerance: float = TOLERANCE,
    models: ModelCache | None = None,
    progress: Progress | None = None,
) -> GateReproduction:
    """Judge the generations of a report again, with its split and seed. Nothing is written.

    The outcome is `impossible` if the gate would now compare other generations, if the golden set
    or the settings differ from those of the report, or if a model cannot be loaded. Then nothing
    is searched.
    """
    try:
        gate = prepare_gate(
            database, configuration, stored.collection, stored.candidate_id,
            golden_folder=golden_folder, split=stored.report.split or DEFAULT_QRELS,
            models=models, progress=progress, seed=stored.seed, is_read_only=True,
        )  # fmt: skip
        obstacles = tuple(_find_obstacles(stored, gate))
        if obstacles:
            return _describe(stored, "impossible", tolerance, obstacles=obstacles)
        gate.load_models()
        again = run_gate(gate)
    except (
        GoldenSetError, ModelUnavailableError, UnknownCollectionError, UnknownGenerationError
    ) as error:  # fmt: skip
        return _describe(stored, "impossible", tolerance, obstacles=(f"{error}.",))
    figures = tuple(_compare(stored.report, again))
    agree = all(figure.agrees(tolerance) for figure in figures)
    return _describe(stored, "agrees" if agree else "differs", tolerance, again, figures=figures)


def _describe(
    stored: StoredReport,
    outcome: Outcome,
    tolerance: float,
    again: GateReport | None = None,
    *,
    figures: tuple[ComparedFigure, ...] = (),
    obstacles: tuple[str, ...] = (),
) -> GateReproduction:
    pairs = [("code_version", stored.code_version, read_code_version())]
    if again is not None:
        pairs.append(("verdict", stored.verdict, again.verdict))
    changes = tuple(Change(name, then, now) for name, then, now in pairs if then != now)
    return GateReproduction(
        stored.id, stored.collection, outcome, tolerance, figures, changes, obstacles
    )


def _find_obstacles(stored: StoredReport, gate: Gate) -> Iterable[str]:
    live_id = None if gate.live is None else gate.live.id
    if live_id != stored.live_id:
        yield (
            f"The report compares generation {stored.candidate_id} with "
            f"{_name_live(stored.live_id)}, and now the gate compares it with "
            f"{_name_live(live_id)}."
        )
    if gate.golden_set_version != stored.golden_set_version:
        yield (
            f"The golden set has version {gate.golden_set_version or 'none'}, and the report "
            f"used {stored.golden_set_version or 'none'}. Restore this version and name its folder "
            "with --golden."
        )
    then = stored.report
    if (gate.settings_fingerprint, gate.live_settings_fingerprint) != (
        then.settings_fingerprint,
        then.live_settings_fingerprint,
    ):
        yield "The settings of the gate, thresholds or search have changed. Restore them."


def _name_live(live_id: int | None) -> str:
    return "no live generation" if live_id is None else f"generation {live_id}"


def _compare(then: GateReport, now: GateReport) -> Iterable[ComparedFigure]:
    measured = {one.measure: one for one in now.measures}
    for one in then.measures:
        other = measured.get(one.measure)
        for name in ("live", "candidate", "p_value"):
            value = None if other is None else getattr(other, name)
            yield ComparedFigure(f"{one.measure} {name}", getattr(one, name), value)
