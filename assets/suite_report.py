"""A summary page of one evaluation: an HTML file without scripts and without external resources.

The Data Docs of Great Expectations are in the same folder. Their pages load styles and scripts from
eight other hosts, so they are empty without a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from assets.expectations import ExpectationResult, Suite
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
<p>Evaluated at {at} UTC by run {run}: {summary}.</p>
<table>
<tr><th>expectation<th>result<th>rows<th>unexpected<th>observed</tr>
{rows}
</table>
</html>
"""


def write_report(docs: Path, suite: Suite, evaluation: Evaluation) -> None:
    """Write the page of an evaluation into the folder of the suite's Data Docs."""
    failed = sum(not result.passed for result in evaluation.results)
    page = PAGE.format(
        title=escape(f"Expectations on {suite.name}"),
        at=f"{evaluation.evaluated_at:%Y-%m-%d %H:%M:%S}",
        run=escape(evaluation.run_id),
        summary=f"{len(evaluation.results) - failed} passed, {failed} failed",
        rows="\n".join(_list_rows(suite, evaluation.results)),
    )
    docs.mkdir(parents=True, exist_ok=True)
    (docs / FILE).write_text(page, encoding="utf-8")


def _list_rows(suite: Suite, results: Sequence[ExpectationResult]) -> list[str]:
    return [
        f"<tr><td>{escape(each.description)}"
        f'<td class="{"passed" if result.passed else "failed"}">{escape(_describe(result))}'
        f"<td>{_format(result.rows)}<td>{_format(result.unexpected)}"
        f"<td>{_format(result.observed)}</tr>"
        for each, result in zip(suite.expectations, results, strict=True)
    ]


def _describe(result: ExpectationResult) -> str:
    if result.error is not None:
        return f"not evaluated: {result.error}"
    return "passed" if result.passed else "failed"


def _format(value: object) -> str:
    return "" if value is None else escape(str(value))
