"""Only one module names Dagster's private modules."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
ADAPTER = REPOSITORY / "dagster_project" / "dagster_internals.py"
PACKAGES = ("assets", "dagster_project", "ragline", "retrieval_api")
# A dotted path with a private part, in an import or in a text, and the package of shared internals.
PRIVATE = re.compile(r"\bdagster\w*(?:\.\w+)*\._\w+|\bdagster_shared\b")


def test_one_module_names_private_modules_of_dagster() -> None:
    paths = [path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")]
    found = {path for path in paths if PRIVATE.search(path.read_text(encoding="utf-8"))}
    assert found == {ADAPTER}
