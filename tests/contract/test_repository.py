"""Rules for every file of the repository: links, names of files and modules, forbidden content."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository_files import PACKAGES, REPOSITORY, is_python, list_files, list_pages, read_text

FILES = list_files()
PAGES = list_pages()
ROOT_FOLDERS = {name.split("/")[0] for name in FILES if "/" in name}
# What only some development machines have, or what the project is not about.
FORBIDDEN = {
    "a folder of one machine": r"/w[o]rk/\w|/home/(?!me/|you/)\w+/|/Users/(?!me/|you/)\w+/",
    "a package host": r"(?:pyp[i]|pythonh[o]sted|anac[o]nda|pyt[o]rch)\.org|artifact[o]ry|jfr[o]g",
    "how it was written": r"(?i)\b(?:cla[u]de|anthr[o]pic|chatg[p]t|copil[o]t|subag[e]nts?)\b",
    "other documents": r"\b(?:REVIEW|STYLE|NOTES|BRIEF|PEERS|DESIGN)(?:\.md| section)",
    "numbers of a review": r"(?i)\b(?:defect|friction|field case|issue) #?[BF]?\d+\b",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_contains_what_is_forbidden(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in FILES
        for number, line in enumerate(read_text(name).splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == []


def test_only_the_shared_fixture_names_outside_data() -> None:
    """Only the fixture decides which tests read data outside the repository."""
    pattern = re.compile(r"RAGLINE_TEST_DATA\b|\"shared\"|shared/data")
    names = [name for name in FILES if name.startswith("tests/") and is_python(name)]
    found = {name for name in names if pattern.search(read_text(name))}
    assert found == {"tests/conftest.py", "tests/contract/test_repository.py"}


@pytest.mark.parametrize(
    ("environment", "counts"),
    [
        ({"RAGLINE_TEST_DATA": "/nonexistent"}, "2/4 tests collected (2 deselected)"),
        ({"RAGLINE_TEST_DATA": "/nonexistent", "RAGLINE_SOAK": "1"}, "4 tests collected"),
    ],
)
def test_tests_of_outside_data_are_selected_on_demand(
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
    """The anchors of a page's headings, as GitHub builds them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_of_a_page_have_a_target(name: str) -> None:
    page = REPOSITORY / name
    for link in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", page.read_text("utf-8")):
        target, _, anchor = link.partition("#")
        path = page.parent / target if target else page
        assert path.exists(), link
        assert not anchor or path.suffix != ".md" or anchor in find_anchors(path), link


def test_targets_that_pages_name_are_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", read_text("Makefile"), re.MULTILINE))
    named = {
        target: name
        for name in [*PAGES, ".ci/run"]
        for target in re.findall(r"(?:`|^)make ([a-z]+)", read_text(name), re.MULTILINE)
    }
    assert {"demo", "test", "dev", "check"} <= named.keys()
    assert named.keys() <= targets, named


def list_quoted() -> list[tuple[str, str]]:
    """Each text in backquotes on one line, with the file that contains it."""
    quoting = [name for name in FILES if name.endswith((".md", ".py", ".sql", ".toml", ".html"))]
    return [
        (name, quoted)
        for name in quoting
        if name != "CHANGELOG.md"
        for quoted in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", read_text(name))
    ]


def test_paths_that_are_named_exist() -> None:
    """A path in backquotes is below a folder of the repository, or relative to its page."""
    folders = "|".join(map(re.escape, sorted(ROOT_FOLDERS)))
    # A word in capital letters is to be replaced.
    pattern = re.compile(rf"(?:{folders})/(?!.*[A-Z]{{4,}}(?<!README))[\w./-]*")
    missing = {
        f"{name}: {path}"
        for name, path in list_quoted()
        if pattern.fullmatch(path)
        and not any((folder / path).exists() for folder in (REPOSITORY, (REPOSITORY / name).parent))
    }
    assert missing == set()


def test_modules_that_are_named_exist() -> None:
    """A dotted name in backquotes is a module, a name in a module, or a name in the database."""
    pattern = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+")
    statements = [read_text(name) for name in FILES if name.startswith("sql/")]
    missing = {
        f"{name}: {dotted}"
        for name, dotted in list_quoted()
        if pattern.fullmatch(dotted)
        and dotted != "ragline.yaml"
        and not is_defined(dotted)
        and not any(dotted in statement for statement in statements)
    }
    assert missing == set()


def is_defined(dotted: str) -> bool:
    """Whether a module or package has this name, or its module defines the last part of it."""
    path = REPOSITORY / dotted.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    owner = path.parent if path.parent.is_dir() else path.parent.with_suffix(".py")
    source = owner / "__init__.py" if owner.is_dir() else owner
    if not source.is_file():
        return False
    definition = rf"^\s*(?:def |class |async def )?{path.name}\b\s*[:=(\[]"
    return re.search(definition, source.read_text("utf-8"), re.MULTILINE) is not None
