"""Writes the report of a gate as JUnit XML, which CI systems show as test results.

Each check is a test case. A refused check is a failure. An undecided check is an error, because the
gate could not decide.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ragline.gate.report import Check, GateReport

# Characters that XML cannot contain, not even as a character reference.
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
TAGS = {"refused": "failure", "undecided": "error"}


def write_junit(report: GateReport) -> str:
    """Write a report as one test suite."""
    outcomes = [check.outcome for check in report.checks]
    suite = Element(
        "testsuite",
        name=f"ragline gate {report.collection}",
        tests=str(len(outcomes)),
        failures=str(outcomes.count("refused")),
        errors=str(outcomes.count("undecided")),
        time=f"{report.seconds:.3f}",
        timestamp=report.started_at.strftime("%Y-%m-%dT%H:%M:%S"),
    )
    _add_properties(suite, report)
    for check in report.checks:
        _add_case(suite, report, check)
    indent(suite)
    return tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _add_properties(suite: Element, report: GateReport) -> None:
    properties = SubElement(suite, "properties")
    values = {
        "verdict": report.verdict,
        "live_generation": "" if report.live is None else str(report.live.id),
        "candidate": str(report.candidate.id),
        "golden_set_version": report.golden_set_version or "",
        "seed": str(report.seed),
    }
    for name, value in values.items():
        SubElement(properties, "property", name=name, value=value)


def _add_case(suite: Element, report: GateReport, check: Check) -> None:
    case = SubElement(suite, "testcase", classname=f"gate.{report.collection}", name=check.name)
    reason = NOT_IN_XML.sub("\ufffd", check.reason)
    if tag := TAGS.get(check.outcome):
        SubElement(case, tag, message=reason).text = reason
    else:
        SubElement(case, "system-out").text = reason
