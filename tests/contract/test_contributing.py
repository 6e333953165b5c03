"""The recipes of CONTRIBUTING.md: what they name exists, and following them works."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from repository_files import PACKAGES, REPOSITORY, list_files, read_text

from ragline.lifecycle.states import STATES
from ragline.parsing.formats import parser_fingerprint

GUIDE = "CONTRIBUTING.md"
FILES = list_files()
# A word in capital letters, as part of a path, is to be replaced by a name.
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b|(?<=_)[A-Z]{3,}(?=\.)")


def list_recipes() -> dict[str, list[str]]:
    """The numbered steps of each recipe, by its heading."""
    _, _, recipes = read_text(GUIDE).partition("\n## Recipes\n")
    return {
        heading: re.findall(r"^\d+\. .*(?:\n   .*)*", body, re.MULTILINE)
        for heading, body in re.findall(
            r"^### (.*)\n((?:(?!^##).*\n)*)", recipes + "\n", re.MULTILINE
        )
    }


RECIPES = list_recipes()


def list_quoted(text: str) -> list[str]:
    """The texts in backquotes."""
    return re.findall(r"`([^`]+)`", text)


def is_path(quoted: str) -> bool:
    return re.fullmatch(r"[\w.-]+(/[\w.-]*)+|[\w-]+\.(toml|md|py)|Makefile", quoted) is not None


def find_named(path: str) -> list[str]:
    """The files that a path names; a placeholder matches every name."""
    pattern = re.compile(r"\w+".join(map(re.escape, PLACEHOLDER.split(path))) + r"(/.*)?")
    return [name for name in FILES if pattern.fullmatch(name) or name.startswith(path)]


STEPS = [(recipe, " ".join(step.split())) for recipe, steps in RECIPES.items() for step in steps]


def test_recipes_are_those_that_the_guide_promises() -> None:
    kinds = (
        "kind of source", "reader of a format", "reranker", "endpoint", "expectation", "invariant",
        "alarm", "metric", "measure of the evaluation",
    )  # fmt: skip
    assert [heading.split(" ", 2)[2] for heading in RECIPES] == list(kinds)
    assert all(len(steps) >= 3 for steps in RECIPES.values())


@pytest.mark.parametrize(("recipe", "step"), STEPS)
def test_files_of_a_step_exist(recipe: str, step: str) -> None:
    paths = [quoted for quoted in list_quoted(step) if is_path(quoted)]
    assert [path for path in paths if not find_named(path)] == [], recipe


@pytest.mark.parametrize(("recipe", "step"), STEPS)
def test_names_of_a_step_are_in_its_files(recipe: str, step: str) -> None:
    """A name that a step quotes is a word of a file that its recipe names."""
    whole = "\n".join(RECIPES[recipe])
    paths = [quoted for quoted in list_quoted(whole) if is_path(quoted)]
    texts = [read_text(name) for path in paths for name in find_named(path)]
    names = [
        quoted
        for quoted in list_quoted(step)
        if re.fullmatch(r"\w+", quoted) and not quoted.endswith("_RULE") and quoted not in STATES
    ]
    missing = [name for name in names if not any(re.search(rf"\b{name}\b", text) for text in texts)]
    assert missing == [], recipe


class Copy:
    """A copy of the packages in which a recipe is followed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in (*PACKAGES, "sql", "examples"):
            shutil.copytree(
                REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns(".ragline")
            )

    def write(self, path: str, content: str) -> None:
        """Add a file."""
        (self.folder / path).parent.mkdir(exist_ok=True)
        (self.folder / path).write_text(content, "utf-8")

    def insert(self, path: str, opening: str, line: str) -> None:
        """Insert a line below the one that begins with `opening`, which occurs once."""
        text = (self.folder / path).read_text("utf-8")
        found = re.findall(rf"^{re.escape(opening)}.*[\[({{]\n", text, re.MULTILINE)
        assert len(found) == 1, f"{path} has no line that begins with {opening}"
        self.write(path, text.replace(found[0], f"{found[0]}{line}\n"))

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace a text that occurs once."""
        text = (self.folder / path).read_text("utf-8")
        assert text.count(old) == 1, f"{path} does not contain {old} once"
        self.write(path, text.replace(old, new))

    def run(self, program: str) -> str:
        """The output of a program that imports the packages of the copy."""
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=self.folder,
            env={"PYTHONPATH": str(self.folder), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_recipe_of_a_reader_adds_a_format(copy: Copy) -> None:
    copy.write(
        "ragline/parsing/readers/ini.py",
        "from ragline.parsing.readers.plain_text import read_plain_text\n\n"
        "def read_ini(content, file_type):\n"
        "    return read_plain_text(content.replace(b'=', b' is '), file_type)\n",
    )
    formats = "ragline/parsing/formats.py"
    row = '"ini", "Settings", "text/x-ini", "ini:read_ini", (".ini",), is_text=True'
    copy.insert(formats, "_FORMATS", f"    Format({row}),")
    copy.insert(formats, "_PACKAGES", '    "pytest",')
    said = copy.run(
        "from ragline.parsing.readers.dispatch import ReaderDispatch\n"
        "from ragline.parsing.formats import media_type_of, parser_fingerprint\n"
        "parsed = ReaderDispatch().parse_document(b'colour=blue', 'shop.ini')\n"
        "print(parsed.text, parsed.file_type, media_type_of('ini'), parser_fingerprint())"
    )
    text, _, fingerprint = said.rpartition(" ")
    assert text == "colour is blue ini text/x-ini"
    assert fingerprint != parser_fingerprint()


def test_recipe_of_a_reranker_adds_a_value_of_the_setting(copy: Copy) -> None:
    copy.write(
        "ragline/rerankers/shortest.py",
        "class ShortestReranker:\n"
        "    name = 'shortest'\n"
        "    def __init__(self, embedder): pass\n"
        "    def score_texts(self, query, texts): return [-len(text) for text in texts]\n",
    )
    entry = 'NAMED_RERANKERS = {"shortest": "shortest:ShortestReranker", '
    copy.replace("ragline/rerankers/__init__.py", "NAMED_RERANKERS = {", entry)
    said = copy.run(
        "from ragline.rerankers.reranker import load_reranker\n"
        "print(load_reranker('shortest', None).score_texts('', ['tea', 'coffee']))"
    )
    assert said == "[-3, -6]"


def test_recipe_of_a_check_adds_checks_of_documents_and_of_the_index(copy: Copy) -> None:
    copy.insert(
        "assets/document_checks.py",
        "DOCUMENT_EXPECTATIONS",
        '    Expectation("ids_are_short", "Ids are short.",\n'
        '                "ExpectColumnValueLengthsToBeBetween",\n'
        '                {"column": "document_id", "max_value": 100}, "critical"),',
    )
    copy.write("sql/queries/checks/long_texts.sql", "-- Nothing.\nselect '', 0 where false\n")
    copy.insert(
        "ragline/lifecycle/invariants.py",
        "INVARIANTS",
        '    Invariant("long_texts", "No entry has a long text."),',
    )
    said = copy.run(
        "from pathlib import Path\n"
        "from dagster_project.definitions import build_definitions\n"
        "from ragline.configuration import load_configuration\n"
        "configuration = load_configuration(Path('examples/ragline.yaml'))\n"
        "graph = build_definitions(configuration).get_repository_def().asset_graph\n"
        "keys = [key for key in graph.asset_check_keys\n"
        "        if key.asset_key.path[-1].startswith('glossary')]\n"
        "print({key.name for key in keys} & {'ids_are_short', 'no_long_texts'},\n"
        "      {graph.get_check_spec(key).blocking for key in keys\n"
        "       if key.name in ('ids_are_short', 'no_long_texts')})"
    )
    assert "ids_are_short" in said
    assert "no_long_texts" in said
    assert said.endswith("{True}")


def test_recipe_of_a_metric_adds_a_gauge(copy: Copy) -> None:
    metrics = "retrieval_api/observation/pipeline_metrics.py"
    copy.insert(metrics, "GAUGES", '    ("ragline_sources", "The number of sources.", ()),')
    copy.replace(
        metrics,
        "    for source in status.sources:\n",
        '    yield "ragline_sources", (), len(status.sources)\n    for source in status.sources:\n',
    )
    said = copy.run(
        "from types import SimpleNamespace\n"
        "from retrieval_api.observation.pipeline_metrics import GAUGES, describe_status\n"
        "samples = describe_status(SimpleNamespace(sources=[], collections=[]))\n"
        "print(GAUGES[0][0], list(samples))"
    )
    assert said == "ragline_sources [('ragline_sources', (), 0)]"
