"""A page of one evaluation of a suite: a file that needs no network, script or server.

Great Expectations' own Data Docs lie beside it. They load their styles and scripts from eight other
hosts, so that without a network they show nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from assets.expectations import Suite, Verdict
from assets.suite_evaluations import Evaluation

FILE = "summary.html"
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ border-bottom: 1px solid #ccc; padding: .4rem .6rem; text-align: left }}
.failed {{ color: #a00; font-weight: bold }}
</style>
<h1>{title}</h1>
<p>Evaluated {at} UTC in run {run}: {summary}.</p>
<table>
<tr><th>expectation<th>result<th>rows<th>unexpected<th>observed</tr>
{rows}
</table>
</html>
"""


def write_report(docs: Path, suite: Suite, evaluation: Evaluation) -> None:
    """Write the page of an evaluation into the folder of the suite's Data Docs."""
    failed = sum(not verdict.passed for verdict in evaluation.verdicts)
    page = PAGE.format(
        title=escape(f"Expectations on {suite.name}"),
        at=f"{evaluation.evaluated_at:%Y-%m-%d %H:%M:%S}",
        run=escape(evaluation.run_id),
        summary=f"{len(evaluation.verdicts) - failed} passed, {failed} did not",
        rows="\n".join(_list_rows(suite, evaluation.verdicts)),
    )
    docs.mkdir(parents=True, exist_ok=True)
    (docs / FILE).write_text(page, encoding="utf-8")


def _list_rows(suite: Suite, verdicts: Sequence[Verdict]) -> list[str]:
    return [
        f"<tr><td>{escape(each.description)}"
        f'<td class="{"passed" if verdict.passed else "failed"}">{escape(_say(verdict))}'
        f"<td>{_show(verdict.rows)}<td>{_show(verdict.unexpected)}<td>{_show(verdict.observed)}</tr>"
        for each, verdict in zip(suite.expected, verdicts, strict=True)
    ]


def _say(verdict: Verdict) -> str:
    if verdict.crash is not None:
        return f"the check itself failed: {verdict.crash}"
    return "passed" if verdict.passed else "did not pass"


def _show(value: object) -> str:
    return "" if value is None else escape(str(value))
