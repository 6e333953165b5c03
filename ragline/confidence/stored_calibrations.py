"""The calibrations of a generation in the database: one for each kind of search.

A search reads the models together with its generation, in `ragline.search.live_generation`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from ragline.confidence.calibration import Calibration, SearchKind
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class CalibrationOrigin:
    """The inputs to which calibrations were fitted. If one of them changes, they are fitted again.

    `settings_fingerprint` is the hash of the settings of searches. `code_version` is the version
    of the code.
    """

    golden_set_version: str
    settings_fingerprint: str
    code_version: str


@dataclass(frozen=True, slots=True)
class FittedCalibration:
    """The result of a fit for one kind of search.

    `calibration` is None if the golden set is too small, and `reason` then says what is missing.
    `figures` contains the reliability that `cross_validate` measured.
    """

    kind: SearchKind
    calibration: Calibration | None
    reason: str | None
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredCalibration:
    """A stored result of a fit, with its origin and its time."""

    fitted: FittedCalibration
    origin: CalibrationOrigin
    created_at: datetime


def store_calibrations(
    database: Database,
    generation_id: int,
    fitted: Iterable[FittedCalibration],
    origin: CalibrationOrigin,
) -> None:
    """Store the calibrations of a generation.

    Each replaces the stored calibration of the same kind of search.
    """
    with database.begin() as connection:
        for one in fitted:
            _store(connection, generation_id, one, origin)


def _store(
    connection: Connection,
    generation_id: int,
    fitted: FittedCalibration,
    origin: CalibrationOrigin,
) -> None:
    model = None if fitted.calibration is None else json.dumps(fitted.calibration.to_json())
    values = {
        "generation_id": generation_id,
        "mode": fitted.kind.mode,
        "is_reranked": fitted.kind.is_reranked,
        "model": model,
        "reason": fitted.reason,
        "figures": json.dumps(fitted.figures),
        "golden_set_version": origin.golden_set_version,
        "settings_fingerprint": origin.settings_fingerprint,
        "code_version": origin.code_version,
    }
    connection.execute(load_statement("confidence/upsert_calibration"), values)


def read_calibrations(
    connection: Connection, generation_id: int
) -> dict[SearchKind, StoredCalibration]:
    """Return the calibrations of a generation by kind of search."""
    statement = load_statement("confidence/select_calibrations")
    found = {}
    for row in connection.execute(statement, {"generation_id": generation_id}):
        kind = SearchKind(row.mode, row.is_reranked)
        calibration = None if row.model is None else Calibration.read(row.model)
        found[kind] = StoredCalibration(
            FittedCalibration(kind, calibration, row.reason, row.figures),
            CalibrationOrigin(row.golden_set_version, row.settings_fingerprint, row.code_version),
            row.created_at,
        )
    return found


def has_calibration(database: Database, generation_id: int) -> bool:
    """Whether a generation has a calibration for at least one kind of search."""
    with database.connect() as connection:
        stored = read_calibrations(connection, generation_id)
    return any(one.fitted.calibration is not None for one in stored.values())
