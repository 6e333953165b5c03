"""What holds for every file of the repository: links, commands, and what it does not speak of."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pathspec import GitIgnoreSpec

REPOSITORY = Path(__file__).parents[2]
# Texts that others wrote, and this list.
NOT_OURS = (
    "examples/handbook/",
    "examples/peps/",
    "tests/data/",
    "tests/contract/test_repository.py",
)
FOREIGN = {
    "a folder of one machine": r"/w[o]rk/\w|/home/(?!me/|you/)\w+/|/Users/(?!me/|you/)\w+/",
    "a host of packages": r"(?:pypi|pythonhosted|anaconda|pytorch)\.org|artifactory|jfrog",
    "how it was written": r"(?i)\b(?:claude|anthropic|chatgpt|copilot|subagents?)\b",
    "papers beside it": r"\b(?:REVIEW|STYLE|NOTES|BRIEF|PEERS|DESIGN)(?:\.md| section)",
    "numbers of a review": r"(?i)\b(?:defect|friction|field case|issue) #?[BF]?\d+\b",
}
# What a reader stumbles over, and the plain word.
STUMBLES = {
    "anew": "again",
    "dear": "expensive",
    "mends?|mended": "fix",
    "is none": "say what it is",
    "stands on": "uses",
    "somebody's": "the owner's name",
}


def list_files() -> list[str]:
    """The files that belong to the repository, by path."""
    ignored = GitIgnoreSpec.from_lines(
        [*(REPOSITORY / ".gitignore").read_text("utf-8").splitlines(), ".git", ".venv"]
    )
    return sorted(_walk(REPOSITORY, ignored))


def _walk(folder: Path, ignored: GitIgnoreSpec) -> Iterator[str]:
    for path in folder.iterdir():
        name = path.relative_to(REPOSITORY).as_posix()
        if path.is_dir() and not path.is_symlink():
            if not ignored.match_file(f"{name}/"):
                yield from _walk(path, ignored)
        elif not ignored.match_file(name):
            yield name


def read_lines(name: str) -> list[str]:
    """The lines of a text; other files have none."""
    try:
        return (REPOSITORY / name).read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        return []


OURS = [name for name in list_files() if not name.startswith(NOT_OURS)]
PAGES = [name for name in OURS if name.endswith(".md")]


@pytest.mark.parametrize("what", FOREIGN)
def test_repository_speaks_of_the_project_alone(what: str) -> None:
    pattern = re.compile(FOREIGN[what])
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in OURS
        for number, line in enumerate(read_lines(name), start=1)
        if pattern.search(line)
    ]
    assert found == []


def test_tests_find_what_they_read_in_the_repository() -> None:
    """Only the fixture knows of the data outside, so that it alone decides what is left out."""
    pattern = re.compile(r"RAGLINE_TEST_DATA|\"shared\"|shared/data")
    found = [
        name
        for name in OURS
        if re.fullmatch(r"tests/.*\.py", name) and pattern.search("\n".join(read_lines(name)))
    ]
    assert found == ["tests/conftest.py"]


@pytest.mark.parametrize(
    ("environment", "counts"),
    [
        ({"RAGLINE_TEST_DATA": "/nonexistent"}, "2/4 tests collected (2 deselected)"),
        ({"RAGLINE_TEST_DATA": "/nonexistent", "RAGLINE_SOAK": "1"}, "4 tests collected"),
    ],
)
def test_what_reads_the_data_outside_is_selected_on_demand(
    environment: dict[str, str], counts: str
) -> None:
    others = {name: value for name, value in os.environ.items() if name != "RAGLINE_SOAK"}
    path = "tests/acceptance/test_peps_replay.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", path],
        cwd=REPOSITORY,
        env={**others, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert counts in done.stdout, done.stdout + done.stderr


def find_anchors(page: Path) -> set[str]:
    """What a link may name behind `#`: the headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_of_a_page_lead_somewhere(name: str) -> None:
    page = REPOSITORY / name
    for link in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", page.read_text("utf-8")):
        target, _, anchor = link.partition("#")
        path = page.parent / target if target else page
        assert path.exists(), link
        assert not anchor or path.suffix != ".md" or anchor in find_anchors(path), link


def test_targets_that_pages_name_are_in_the_makefile() -> None:
    targets = set(
        re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE)
    )
    named = {
        target: name
        for name in [*PAGES, ".ci/run"]
        for target in re.findall(r"(?:`|^)make ([a-z]+)", "\n".join(read_lines(name)), re.MULTILINE)
    }
    assert {"demo", "test", "dev", "check"} <= named.keys()
    assert named.keys() <= targets, named


def test_files_that_pages_name_exist() -> None:
    """A path in backquotes below one of our folders."""
    folders = "|".join(sorted({name.split("/")[0] for name in OURS if "/" in name}))
    missing = [
        f"{name}: {path}"
        for name in PAGES
        if name != "CHANGELOG.md"
        for path in re.findall(rf"`((?:{folders})/[\w./-]+\.\w+)`", "\n".join(read_lines(name)))
        if not any((folder / path).exists() for folder in (REPOSITORY, (REPOSITORY / name).parent))
    ]
    assert missing == []


def list_new_pages() -> dict[str, str]:
    """The text of the runbooks and of the release that is being made."""
    changes = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    unreleased = re.findall(r"^## 0\.4\.0 .*?(?=^## |\Z)", changes, re.MULTILINE | re.DOTALL)
    runbooks = [name for name in PAGES if name.startswith("docs/runbooks/")]
    return {
        "CHANGELOG.md": "".join(unreleased),
        **{name: "\n".join(read_lines(name)) for name in runbooks},
    }


@pytest.mark.parametrize("word", STUMBLES)
def test_new_pages_are_written_in_plain_words(word: str) -> None:
    found = {
        name: re.findall(rf".*\b(?:{word})\b.*", text, re.IGNORECASE)
        for name, text in list_new_pages().items()
    }
    assert {name: lines for name, lines in found.items() if lines} == {}, STUMBLES[word]
