"""Rules of the SQL files that a machine can check."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ragline.storage.statements import load_statement

REPOSITORY = Path(__file__).parent.parent.parent
QUERIES = REPOSITORY / "sql" / "queries"
FILES = sorted(QUERIES.glob("*/*.sql"))
KEYWORDS = r"\b(SELECT|FROM|WHERE|INSERT|UPDATE|DELETE|JOIN|GROUP BY|ORDER BY|LIMIT|WITH)\b"


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_statement_begins_with_what_it_returns(path):
    assert path.read_text(encoding="utf-8").startswith("-- ")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_statement_is_one_and_in_lower_case(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    code = "\n".join(line for line in lines if not line.lstrip().startswith("--"))
    assert ";" not in code
    assert not re.search(KEYWORDS, code)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_placeholder_is_cast(path):
    statement = load_statement(name_of(path)).text
    bound = re.findall(r"(?<![:\w]):([a-z_]+)", re.sub(r"--.*", "", statement))
    cast = re.findall(r"cast\(:([a-z_]+) as ", statement)
    assert sorted(bound) == sorted(cast)


def test_no_statement_is_unused():
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for package in ("ragline", "retrieval_api", "assets", "dagster_project")
        for path in (REPOSITORY / package).rglob("*.py")
    )
    computed = re.compile(r"checks/")
    unused = [
        name_of(path)
        for path in FILES
        if name_of(path) not in code and not computed.match(name_of(path))
    ]
    assert unused == []
