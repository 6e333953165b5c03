"""What an evaluation of a suite said, kept beside its Data Docs, and how long that holds.

Great Expectations takes seconds to import. While neither the rows nor the suite have changed,
the verdicts of the last evaluation are the verdicts of now; they are shown again, with the run
that made them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from assets.expectations import Suite, Verdict
from ragline.fingerprints import fingerprint

FILE = "evaluation.json"
# The rows are compared by their keys; so a change that went past them is found after this long.
HOLDS_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The verdicts of one evaluation; `target` names the rows and the suite it was made of."""

    target: str
    run_id: str
    evaluated_at: datetime
    verdicts: Sequence[Verdict]

    def holds(self, target: str, now: datetime) -> bool:
        """Whether the verdicts may stand for another evaluation: same target, and not too old."""
        return self.target == target and now - self.evaluated_at < HOLDS_FOR


def name_target(suite: Suite, rows: str) -> str:
    """What an evaluation is of: the rows by their fingerprint, the suite, the library."""
    return fingerprint(
        {
            "rows": rows,
            "query": suite.query,
            "expected": [asdict(each) for each in suite.expected],
            "library": version("great_expectations"),
        }
    )


def read_evaluation(docs: Path) -> Evaluation | None:
    """The evaluation kept in a folder of Data Docs; None when there is none to be understood."""
    try:
        kept = json.loads((docs / FILE).read_text(encoding="utf-8"))
        return Evaluation(
            target=kept["target"],
            run_id=kept["run_id"],
            evaluated_at=datetime.fromisoformat(kept["evaluated_at"]).astimezone(UTC),
            verdicts=[Verdict(**verdict) for verdict in kept["verdicts"]],
        )
    except (OSError, ValueError, KeyError, TypeError):
        # A file of another version, or half of one: it is made anew.
        return None


def keep_evaluation(docs: Path, evaluation: Evaluation) -> None:
    """Keep an evaluation for later runs, unless one of its checks crashed."""
    if any(verdict.crash is not None for verdict in evaluation.verdicts):
        (docs / FILE).unlink(missing_ok=True)
        return
    kept = asdict(evaluation) | {"evaluated_at": evaluation.evaluated_at.isoformat()}
    (docs / FILE).write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
