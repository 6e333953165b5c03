"""The card of a golden set names every judge, and keeps what a person wrote."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ragline.errors import GoldenSetError
from ragline.golden_set.card import read_card
from ragline.golden_set.judges import add_judge
from ragline.golden_set.proposal_answers import JudgedDocument, add_judgements


def write_card(folder: Path, text: str) -> Path:
    (folder / "card.yaml").write_text(text, "utf-8")
    return folder / "card.yaml"


def test_first_judgement_writes_a_card(tmp_path: Path) -> None:
    add_judgements(tmp_path, "quiet hours", [JudgedDocument("leave.md", 1)], judged_by="Ada")
    card = read_card(tmp_path)
    assert card is not None
    assert card.judged_by == ("Ada",)
    assert card.judged_at == datetime.now(UTC).date()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("judged_by: [Bo] # team\nnotes: x\n", "judged_by: [Bo, 'Ada: 1'] # team\nnotes: x\n"),
        ("judged_by: Bo", "judged_by: [Bo, 'Ada: 1']"),
        ("# top\njudged_by:\n  - Bo\n# end\n", "# top\njudged_by: [Bo, 'Ada: 1']\n# end\n"),
        ("# top\nnotes: x\n", "# top\njudged_by: ['Ada: 1']\nnotes: x\n"),
        ("judged_by: []\n", "judged_by: ['Ada: 1']\n"),
        ("", "judged_by:\n- 'Ada: 1'\n"),
        ("{notes: x}", "judged_by:\n- 'Ada: 1'\nnotes: x\n"),
        ("judged_by: ['Ada: 1'] # same\n", "judged_by: ['Ada: 1'] # same\n"),
    ],
)
def test_judge_is_added_and_comments_stay(tmp_path: Path, before: str, after: str) -> None:
    path = write_card(tmp_path, before)
    add_judge(tmp_path, "Ada: 1")
    assert path.read_text("utf-8") == after
    card = read_card(tmp_path)
    assert card is not None
    assert card.judged_by[-1] == "Ada: 1"


def test_long_list_of_judges_stays_on_one_line(tmp_path: Path) -> None:
    for number in range(30):
        add_judge(tmp_path, f"judge number {number}")
    card = read_card(tmp_path)
    assert card is not None
    assert len(card.judged_by) == 30


def test_malformed_card_stops_the_judgement(tmp_path: Path) -> None:
    path = write_card(tmp_path, "judge: Bo\n")
    with pytest.raises(GoldenSetError, match="unknown field 'judge'"):
        add_judgements(tmp_path, "quiet hours", [JudgedDocument("leave.md", 1)], judged_by="Ada")
    assert path.read_text("utf-8") == "judge: Bo\n"
    assert not (tmp_path / "queries.jsonl").exists()
