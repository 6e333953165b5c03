"""Stored evaluations of suites. They are files next to the Data Docs, and valid for a limited time.

The import of Great Expectations takes seconds. A stored evaluation is used again in two cases: the
rows and the suite are unchanged, or the rows changed in a way that cannot change a result. For the
second case, a statement of Ragline counts the unexpected rows. The checks then show the results of
the evaluation, with the run that made it, and the present counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from assets.expectations import ExpectationResult, Suite
from ragline.fingerprints import fingerprint
from ragline.lifecycle.expectation_rows import RowCounts

FILE = "evaluation.json"
# A stored evaluation is used only if the fingerprint of the rows is unchanged, or after the
# unexpected rows were counted. The fingerprint does not include every column that a suite reads. So
# this time is the longest delay until a change in another column is found.
MAX_EVALUATION_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of one evaluation, and the counts of rows that show whether they still hold.

    `suite` and `rows` are the fingerprints of the suite and of the rows. `counts` has the counts at
    the time of the evaluation, by name of the expectation. `counts_now` has the counts of a later
    run whose rows have the fingerprint `rows`. It is empty if the rows did not change.
    """

    suite: str
    rows: str
    run_id: str
    evaluated_at: datetime
    results: Sequence[ExpectationResult]
    counts: Mapping[str, RowCounts] = field(default_factory=dict)
    counts_now: Mapping[str, RowCounts] = field(default_factory=dict)

    def is_of(self, suite_fingerprint: str, now: datetime) -> bool:
        """Return whether the suite is the same and the evaluation is not too old."""
        return self.suite == suite_fingerprint and now - self.evaluated_at < MAX_EVALUATION_AGE

    def holds_for(self, counts: Mapping[str, RowCounts]) -> bool:
        """Return whether each result must be the same for rows with these counts.

        A passed expectation still passes if the share of unexpected rows did not grow. A failed
        expectation still fails if this share did not shrink.
        """
        return all(
            each.name in self.counts
            and each.name in counts
            and _is_same_result(each.passed, self.counts[each.name], counts[each.name])
            for each in self.results
        )


def _is_same_result(passed: bool, before: RowCounts, now: RowCounts) -> bool:
    # The products compare the shares without a division by zero.
    growth = now.unexpected * before.judged - before.unexpected * now.judged
    if passed:
        return now.unexpected == 0 or (growth <= 0 and before.judged > 0)
    return now.unexpected > 0 and growth >= 0


def fingerprint_suite(suite: Suite) -> str:
    """Return a hash of a suite and of the version of Great Expectations that evaluates it."""
    return fingerprint(
        {
            "query": suite.query,
            "expected": [asdict(each) for each in suite.expectations],
            "library": version("great_expectations"),
        }
    )


def find_trusted_counts(
    results: Sequence[ExpectationResult], counts: Mapping[str, RowCounts]
) -> Mapping[str, RowCounts]:
    """Return the counts of the expectations for which Great Expectations counted equal rows."""
    return {
        each.name: counts[each.name]
        for each in results
        if each.name in counts and each.unexpected in (None, counts[each.name].unexpected)
    }


def read_evaluation(docs: Path) -> Evaluation | None:
    """Return the evaluation in a folder of Data Docs, or None if the folder has no readable one."""
    try:
        stored = json.loads((docs / FILE).read_text(encoding="utf-8"))
        return Evaluation(
            suite=stored["suite"],
            rows=stored["rows"],
            run_id=stored["run_id"],
            evaluated_at=datetime.fromisoformat(stored["evaluated_at"]).astimezone(UTC),
            results=[ExpectationResult(**result) for result in stored["results"]],
            counts=_read_counts(stored["counts"]),
            counts_now=_read_counts(stored["counts_now"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        # The file is incomplete, or another version wrote it. The suite is evaluated again.
        return None


def _read_counts(stored: Mapping[str, Mapping[str, int]]) -> dict[str, RowCounts]:
    return {name: RowCounts(**counts) for name, counts in stored.items()}


def store_evaluation(docs: Path, evaluation: Evaluation) -> None:
    """Store an evaluation for later runs, unless an expectation could not be evaluated."""
    if any(result.error is not None for result in evaluation.results):
        (docs / FILE).unlink(missing_ok=True)
        return
    stored = asdict(evaluation) | {"evaluated_at": evaluation.evaluated_at.isoformat()}
    (docs / FILE).write_text(json.dumps(stored, ensure_ascii=False, indent=1), encoding="utf-8")
