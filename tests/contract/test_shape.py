"""The size of functions and modules, and the private modules of Dagster."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import PurePath

import pytest
from repository_files import list_files, list_source_files, read_text

MAX_FUNCTION_LINES = 60
LONG_FUNCTION_LINES = 30
MAX_LONG_RATIO = 0.02
MAX_MODULE_LINES = 400
MIN_MODULE_LINES = 40
# Short modules by pattern, each with the reason why it is a module of its own.
SHORT = {
    "*/__init__.py": "names what the package contains",
    "ragline/__main__.py": "lets `python -m ragline` run the commands",
    "*/commands/*.py": "a command",
    "ragline/*/settings.py": "each kind of source has its settings in this module",
    "ragline/access/*.py": "keys, tenants and audit events are three concepts",
    "ragline/command_line/source_names.py": "three commands check the name of a source",
    "ragline/client/hit_metadata.py": "the retrievers of both frameworks use it",
    "ragline/counts.py": "the lowest layer: the library, the commands and the page use it",
    "ragline/durations.py": "the lowest layer: alarms and the page use it",
    "ragline/configuration/strict_settings.py": "the modules of settings share the class",
    "ragline/embedder/space.py": "the embedding space, without a model",
    "ragline/lineage/activation.py": "it is imported without the client of OpenLineage",
    "ragline/fingerprints.py": "the lowest layer: all packages use it",
    "dagster_project/dagster_internals.py": "the adapter of Dagster's private modules",
    "ragline/golden_set/splits.py": "the shares of the splits, without files",
    "ragline/lifecycle/expectation_rows.py": "a query that Great Expectations runs, not Ragline",
    "ragline/parsing/languages.py": "detection of a language, without a reader",
    "ragline/parsing/readers/*.py": "the reader of one format",
    "ragline/rerankers/*.py": "a reranker, or the protocol of all rerankers",
    "ragline/search/empty_queries.py": "commands check a query without the search",
    "ragline/storable_text.py": "the lowest layer: all packages use it",
    "ragline/storage/schema_head.py": "does not import Alembic, which takes 0.4 s",
    "ragline/unknown_names.py": "the lowest layer: all packages use it",
    "ragline/sources/web/rate_limit.py": "the rate limit of one host",
    "assets/plots.py": "charts of the library as metadata of Dagster",
    "assets/metadata.py": "the metadata of all assets",
    "assets/process_tags.py": "the resource and the project use it",
    "assets/run_context.py": "the one resource",
    "retrieval_api/page/*links.py": "rules for the addresses that a page may contain",
    "retrieval_api/messages/*.py": "the messages of one resource",
    "retrieval_api/rollout/candidates.py": "the searches of candidates share what it has read",
    "retrieval_api/routes/*.py": "the routes of one resource",
}
# Only this module names private modules of Dagster.
DAGSTER_ADAPTER = "dagster_project/dagster_internals.py"
# A dotted path with a private part, in an import or in a string; and the shared internals.
PRIVATE_DAGSTER = re.compile(r"\bdagster\w*(?:\.\w+)*\._\w+|\bdagster_shared\b")

SOURCES = {name: read_text(name) for name in list_source_files()}


def list_functions() -> Iterator[tuple[str, int]]:
    """Each function of the packages with its number of lines, without decorators."""
    for name, source in SOURCES.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def count_lines(name: str) -> int:
    return SOURCES[name].count("\n")


def test_no_function_is_too_long() -> None:
    assert [name for name, lines in list_functions() if lines > MAX_FUNCTION_LINES] == []


def test_few_functions_are_long() -> None:
    functions = dict(list_functions())
    long = {name: lines for name, lines in functions.items() if lines > LONG_FUNCTION_LINES}
    assert len(long) / len(functions) < MAX_LONG_RATIO, long


def test_no_module_is_too_long() -> None:
    assert [name for name in SOURCES if count_lines(name) > MAX_MODULE_LINES] == []


def is_short(name: str) -> bool:
    return count_lines(name) < MIN_MODULE_LINES


def test_short_modules_have_a_reason() -> None:
    short = [name for name in SOURCES if is_short(name)]
    assert [name for name in short if not any(fnmatch(name, known) for known in SHORT)] == []


@pytest.mark.parametrize("pattern", SHORT)
def test_reason_is_about_a_short_module(pattern: str) -> None:
    assert any(fnmatch(name, pattern) and is_short(name) for name in SOURCES)


def test_only_the_adapter_names_private_modules_of_dagster() -> None:
    found = {name for name, source in SOURCES.items() if PRIVATE_DAGSTER.search(source)}
    assert found == {DAGSTER_ADAPTER}


def test_no_two_test_files_have_one_name() -> None:
    # pytest imports each file under its name without the folder.
    names = Counter(PurePath(name).name for name in list_files() if name.startswith("tests/"))
    assert [name for name, count in names.items() if name.startswith("test_") and count > 1] == []
