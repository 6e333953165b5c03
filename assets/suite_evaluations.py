"""Stored evaluations of suites. They are files next to the Data Docs, and valid for a limited time.

The import of Great Expectations takes seconds. While the rows and the suite are unchanged, the
checks show the results of the last evaluation again, with the run that made it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from assets.expectations import ExpectationResult, Suite
from ragline.fingerprints import fingerprint

FILE = "evaluation.json"
# A stored evaluation is used only if the fingerprint of the rows is unchanged. The fingerprint does
# not include every column that a suite reads. So this time is the longest delay until a change in
# another column is found.
MAX_EVALUATION_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of one evaluation. `fingerprint` identifies its rows and its suite."""

    fingerprint: str
    run_id: str
    evaluated_at: datetime
    results: Sequence[ExpectationResult]

    def is_valid_for(self, suite_fingerprint: str, now: datetime) -> bool:
        """Return whether the results can be used again: equal fingerprint, and not too old."""
        return (
            self.fingerprint == suite_fingerprint and now - self.evaluated_at < MAX_EVALUATION_AGE
        )


def fingerprint_suite(suite: Suite, rows: str) -> str:
    """Return a hash of the inputs of an evaluation: suite, version of Great Expectations, rows.

    `rows` is the fingerprint of the rows.
    """
    return fingerprint(
        {
            "rows": rows,
            "query": suite.query,
            "expected": [asdict(each) for each in suite.expectations],
            "library": version("great_expectations"),
        }
    )


def read_evaluation(docs: Path) -> Evaluation | None:
    """Return the evaluation in a folder of Data Docs, or None if the folder has no readable one."""
    try:
        stored = json.loads((docs / FILE).read_text(encoding="utf-8"))
        return Evaluation(
            fingerprint=stored["fingerprint"],
            run_id=stored["run_id"],
            evaluated_at=datetime.fromisoformat(stored["evaluated_at"]).astimezone(UTC),
            results=[ExpectationResult(**result) for result in stored["results"]],
        )
    except (OSError, ValueError, KeyError, TypeError):
        # The file is incomplete, or another version wrote it. The suite is evaluated again.
        return None


def store_evaluation(docs: Path, evaluation: Evaluation) -> None:
    """Store an evaluation for later runs, unless an expectation could not be evaluated."""
    if any(result.error is not None for result in evaluation.results):
        (docs / FILE).unlink(missing_ok=True)
        return
    stored = asdict(evaluation) | {"evaluated_at": evaluation.evaluated_at.isoformat()}
    (docs / FILE).write_text(json.dumps(stored, ensure_ascii=False, indent=1), encoding="utf-8")
