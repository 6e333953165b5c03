"""The pages state the minimum numbers of queries that the code needs."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from ragline.confidence.fitting import MIN_OTHER, MIN_QUERIES, MIN_RELEVANT
from ragline.configuration.collection_settings import GateSettings
from ragline.evaluation.calibration_run import SPLIT
from ragline.golden_set import read_golden_set
from ragline.golden_set.splits import SHARES, choose_split
from ragline.tuning import tuning

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")])
# What a command needs, by the page that says so.
NEEDED = {"docs/using.md": GateSettings().min_queries, "docs/tuning.md": tuning.MIN_QUERIES}


def read_page(name: str) -> str:
    """The text of a page in one line."""
    return " ".join((REPOSITORY / name).read_text("utf-8").split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_state_the_number_of_judged_queries_that_the_code_needs(page: Path) -> None:
    name = str(page.relative_to(REPOSITORY))
    stated = re.findall(r"at least (\d+) judged queries", read_page(name))
    assert set(stated) == ({str(NEEDED[name])} if name in NEEDED else set())


def test_page_about_confidence_states_what_a_calibration_needs() -> None:
    text = read_page("docs/confidence.md")
    assert (
        f"at least {MIN_QUERIES} queries with hits, {MIN_RELEVANT} relevant hits and {MIN_OTHER} "
        f"other hits in the split `{SPLIT}`"
    ) in text
    assert f"a golden set of about {MIN_QUERIES * 100 // SHARES['tune']} queries" in text


@pytest.mark.parametrize("page", ["docs/confidence.md", "examples/README.md"])
def test_pages_state_the_size_of_the_sample_golden_set(page: str) -> None:
    golden = read_golden_set(REPOSITORY / "examples" / "golden" / "peps")
    queries = golden.queries | golden.unanswerable
    fitted = Counter(map(choose_split, queries))["tune"]
    assert fitted >= MIN_QUERIES
    assert f"has {len(queries)} queries, {fitted} of them in the split `tune`" in read_page(page)
    assert f"at least {MIN_QUERIES}" in read_page(page)
