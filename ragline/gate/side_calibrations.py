"""Calibrates the generations of a gate, so that their hits have a confidence.

`abstention` compares the confidences. `ragline.evaluation.calibration_run` fits a calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ragline.confidence.stored_calibrations import FittedCalibration, has_calibration
from ragline.configuration import CollectionSettings, Configuration
from ragline.configuration.released_settings import list_changed_settings
from ragline.evaluation.calibration_run import KINDS, find_calibrations, refresh_calibrations
from ragline.gate.paired_evaluation import Side
from ragline.golden_set import GoldenSet
from ragline.lifecycle.releases import use_release
from ragline.progress import Progress
from ragline.storage.database import Database

# The calibrations of one generation.
Fitted = list[FittedCalibration]


@dataclass(frozen=True, slots=True)
class SideCalibrator:
    """Calibrates the sides of one comparison.

    `settings` are those of the configuration file, and `released` those of the reference. With
    `is_read_only`, stored calibrations are used, and no calibration is fitted or stored.
    """

    database: Database
    configuration: Configuration
    settings: CollectionSettings
    released: CollectionSettings
    golden_folder: Path
    progress: Progress
    is_read_only: bool

    def calibrate(self, golden: GoldenSet, sides: tuple[Side, Side]) -> list[Fitted]:
        """Calibrate the generations that need it.

        If there are queries without an answer to measure, both need a calibration. Otherwise the
        candidate needs one if the live generation has one, so that hits still have a confidence
        after the promotion. A generation that is compared with itself keeps the calibration for its
        release now.
        """
        live, candidate = sides
        chosen = []
        if golden.unanswerable:
            chosen.append(self._find_released_side(sides))
        if candidate.generation_id != live.generation_id and (
            chosen or has_calibration(self.database, live.generation_id)
        ):
            chosen.append((candidate, self.settings))
        return [self._calibrate_side(side, settings) for side, settings in chosen]

    def _find_released_side(self, sides: tuple[Side, Side]) -> tuple[Side, CollectionSettings]:
        """Return the side that uses the settings of the release now, and these settings.

        It is the live generation, or the candidate if its settings were released by force.
        """
        live, candidate = sides
        if candidate.generation_id == live.generation_id:
            name = self.settings.name
            now = use_release(self.database, self.configuration, name).collection(name)
            if not list_changed_settings(now, self.settings):
                return candidate, self.settings
        return live, self.released

    def _calibrate_side(self, side: Side, settings: CollectionSettings) -> Fitted:
        if not self.is_read_only:
            return refresh_calibrations(
                self.database, side.searcher, settings, self.golden_folder, side.generation_id,
                progress=self.progress,
            )  # fmt: skip
        stored = find_calibrations(self.database, settings, self.golden_folder, side.generation_id)
        reason = (
            f"generation {side.generation_id} has no calibration for this golden set and these "
            "settings, and a reproduction makes none"
        )
        return stored or [FittedCalibration(kind, None, reason, {}) for kind in KINDS]
