"""The report of a gate as Markdown and as JUnit XML, also with characters that break a format."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import numpy as np

from ragline.gate.comparison import compare_values, decide_family
from ragline.gate.junit import write_junit
from ragline.gate.markdown import write_markdown
from ragline.gate.report import (
    Check,
    FallenQuery,
    GateReport,
    GenerationFacts,
    Latency,
    RankedDocument,
)

CANDIDATE = GenerationFacts(
    id=7, state="candidate", model="model", dimension=8, space_fingerprint="s",
    chunker_fingerprint="c", language="english", analysis_version="1", entries=1_200,
    documents=300, size_bytes=2_500_000, has_vector_index=True,
)  # fmt: skip
REPORT = GateReport(
    collection="notes",
    live=replace(CANDIDATE, id=6, state="live"),
    candidate=CANDIDATE,
    verdict="refused",
    reasons=("A | reason\x01.",),
    checks=(
        Check("sync_proof", "refused", "A | reason\x01."),
        Check("golden_set", "undecided", "Too few."),
        Check("latency", "passed", "Fast enough."),
    ),
    measures=(),
    slices=(),
    index_recall=0.97,
    latency=Latency(50, 10.0, 20.0, 11.0, 22.0),
    fallen=(
        FallenQuery(
            "q1", "tea | <b>time</b>", 1.0, 0.5,
            (
                RankedDocument("a.md", 1, "about | ![tea](x)"),
                RankedDocument("b.md", None, "<script>"),
            ),
            (RankedDocument("b.md", None, "<script>"),),
        ),
    ),
    queries=50,
    failed_live=0,
    failed_candidate=0,
    golden_set_version="g" * 64,
    split="gate",
    settings_fingerprint="f",
    code_version="1.0",
    seed=5,
    started_at=datetime(2026, 11, 29, 12, 0, tzinfo=UTC),
    seconds=1.5,
)  # fmt: skip


def test_junit_has_a_case_for_each_check_and_no_forbidden_character():
    suite = ET.fromstring(write_junit(REPORT))  # noqa: S314  the report is made here
    counts = [suite.get(name) for name in ("tests", "failures", "errors")]
    assert counts == ["3", "1", "1"]
    cases = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert cases == {
        "sync_proof": ["failure"], "golden_set": ["error"], "latency": ["system-out"],
    }  # fmt: skip
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.text == "A | reason\ufffd."
    values = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert values["verdict"] == "refused"
    assert (values["live_generation"], values["candidate"], values["seed"]) == ("6", "7", "5")


def test_markdown_keeps_its_tables_and_contains_no_tag_of_a_document():
    page = write_markdown(REPORT)
    assert "about \\| !\\[tea\\](x)" in page
    assert "<script>" not in page
    assert "<b>" not in page
    assert "**a.md**" in page
    assert "| generation 7 | candidate | model | 1,200 | 300 | 2.5 MB | 11.0 ms | 22.0 ms |" in page
    assert "seed 5" in page
    # A row of a list has one line.
    assert "| 2 | b.md: &lt;script> |  |" in page


def test_markdown_says_for_how_many_comparisons_a_p_value_is_adjusted():
    compared = decide_family(
        [
            compare_values("ndcg@10", np.ones(3), np.ones(3), 1, margin=0.1, slice_name=name)
            for name in ("a", "b", "c")
        ]
    )
    page = write_markdown(replace(REPORT, slices=tuple(compared)))
    assert "| slice | queries | live | candidate | difference | 95 % limits | adjusted p |" in page
    assert "Each p is adjusted for 3 comparisons by Holm's method." in page


def test_report_without_a_live_generation_can_be_written():
    alone = replace(REPORT, live=None, latency=None, fallen=(), golden_set_version=None)
    assert "no live generation" in write_markdown(alone)
    assert ET.fromstring(write_junit(alone)).tag == "testsuite"  # noqa: S314
