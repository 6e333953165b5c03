"""The retired words of docs/glossary.md are in no file of the repository."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from repository_files import list_files, read_text

GLOSSARY = "docs/glossary.md"
# A migration is never edited. The glossary and this test name the retired words.
EXEMPT = (
    "sql/migrations/", GLOSSARY, "tests/contract/test_glossary.py", "requirements.lock", "LICENSE",
)  # fmt: skip
# A constant that is a bound is named by these two words.
BOUNDS = {"MAX": ("LONGEST", "LARGEST", "MOST"), "MIN": ("FEWEST", "LOWEST", "SHORTEST")}
# Between two words of a phrase: spaces, an underscore, or the end of a line of a comment.
GAP = r"(?:[\s_]|\n\s*(?:#:?|--|//|\*)\s)+"


def list_retired() -> dict[str, str]:
    """Each retired word or phrase, with its replacement."""
    _, _, table = read_text(GLOSSARY).partition("\n| retired | use instead |\n")
    rows = [line.split("|")[1:3] for line in table.partition("\n\n")[0].splitlines()[1:]]
    return {
        phrase: replacement.strip()
        for retired, replacement in rows
        for phrase in re.findall(r"`([^`]+)`", retired)
    }


def build_pattern() -> re.Pattern[str]:
    """Matches the retired words and phrases, and the retired names of bounds."""
    phrases = [GAP.join(map(re.escape, phrase.split())) for phrase in list_retired()]
    bounds = [f"(?-i:{word})_(?-i:[A-Z])" for words in BOUNDS.values() for word in words]
    return re.compile(rf"(?i)(?<![^\W_])(?:{'|'.join(phrases)})(?![^\W_])|\b(?:{'|'.join(bounds)})")


PATTERN = build_pattern()


def find_retired(text: str) -> Iterator[tuple[int, str]]:
    """The line and the text of each retired word; a class name counts as its words."""
    # Python's comparison with None is not the phrase.
    text = re.sub(r"\b(is|are)(\s+)None\b", r"\1\2----", text)
    # A user of Unix.
    text = re.sub(r"([\"`])nobody\1", r"\1------\1", text)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)
    for match in PATTERN.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, " ".join(match.group().split())


def list_findings() -> list[str]:
    """The retired words, each with its file and line; line 0 is the path."""
    return [
        f"{name}:{line - 1}: {word}"
        for name in list_files()
        if not name.startswith(EXEMPT)
        for line, word in find_retired(f"{name}\n{read_text(name)}")
    ]


def test_retired_words_have_replacements() -> None:
    assert len(list_retired()) > 50
    assert [word for word, replacement in list_retired().items() if not replacement] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SecondChances", ["Second_Chances"]),
        ("# it is read once\n# more", ["once # more"]),
        ("test_dear_events", ["dear"]),
        ("if entry is None:", []),
        ("if it is none of them", ["is none"]),
        ("MOST_WAITING = 2", ["MOST_W"]),
        ("the most waiting, an endearing settlement", []),
    ],
)
def test_words_are_found_in_names_and_across_lines(text: str, found: list[str]) -> None:
    assert [word for _, word in find_retired(text)] == found


def test_no_file_contains_a_retired_word() -> None:
    assert list_findings() == [], "docs/glossary.md names the replacements"
