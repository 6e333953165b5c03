"""Golden sets and their measures, compared with figures computed by hand."""

from __future__ import annotations

from math import log2
from pathlib import Path

import pytest

from ragline.errors import GoldenSetError
from ragline.evaluation.evaluation import measure_run
from ragline.golden_set import read_golden_set


def write_golden(folder: Path, queries: str, judgements: str) -> Path:
    (folder / "qrels").mkdir(parents=True)
    (folder / "queries.jsonl").write_text(queries, encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text(judgements, encoding="utf-8")
    return folder


def test_measures_equal_the_formulas():
    judgements = {"q1": {"a": 2, "b": 1}}
    run = {"q1": {"b": 0.9, "x": 0.8, "a": 0.7}}
    measures = measure_run(judgements, run)
    ideal = 2 + 1 / log2(3)
    assert measures["ndcg@10"] == pytest.approx((1 + 2 / log2(4)) / ideal)
    assert measures["recall@10"] == 1.0
    assert measures["mrr@10"] == 1.0


def test_query_without_an_answer_counts_as_zero():
    judgements = {"q1": {"a": 1}, "q2": {"b": 1}}
    measures = measure_run(judgements, {"q1": {"a": 1.0}})
    assert measures["ndcg@10"] == pytest.approx(0.5)
    assert measures["mrr@10"] == pytest.approx(0.5)


def test_golden_set_keeps_judged_queries_only(tmp_path):
    folder = write_golden(
        tmp_path / "golden",
        '{"_id": "1", "text": "asked and judged"}\n{"_id": "2", "text": "never judged"}\n',
        "query-id\tcorpus-id\tscore\n1\tdoc\t2\n",
    )
    golden = read_golden_set(folder)
    assert golden.queries == {"1": "asked and judged"}
    assert golden.judgements == {"1": {"doc": 2}}


def test_missing_file_is_named(tmp_path):
    with pytest.raises(GoldenSetError, match=r"queries\.jsonl: there is no such file"):
        read_golden_set(tmp_path)


def test_broken_judgement_is_named_with_its_line(tmp_path):
    folder = write_golden(tmp_path / "g", '{"_id": "1", "text": "q"}\n', "1\tdoc\t1\n1 doc 2\n")
    with pytest.raises(GoldenSetError, match=r"test\.tsv:2"):
        read_golden_set(folder)


def test_judged_query_without_text_is_named(tmp_path):
    folder = write_golden(tmp_path / "g", '{"_id": "1", "text": "q"}\n', "7\tdoc\t1\n")
    with pytest.raises(GoldenSetError, match="no query '7'"):
        read_golden_set(folder)
