"""What a command imports before it has read its configuration, and what a search imports.

Each test starts a process, because an imported module stays imported. The time of an import differs
between machines; the list of imported modules does not.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from ragline_home import Home

from ragline.commands import GROUP

COMMANDS = sorted(point.name for point in entry_points(group=GROUP))
NEEDS = {"search": ["a", "b"], "eval": ["a"], "export": ["a", "--out", "a.jsonl"],
         "remove": ["a", "--yes"], "confirm-removals": ["a"], "quarantine": ["list"],
         "generation": ["list"], "keys": ["list"], "gate": ["a"], "golden": ["status"],
         "reproduce": ["1"], "card": ["a"], "tune": ["a"],
         "explain": ["a", "b", "c"]}  # fmt: skip
# Each import takes seconds. A command must report a wrong configuration before them.
HEAVY = {
    "alembic", "dagster", "great_expectations", "numpy", "openvino", "optuna", "psycopg",
    "sqlalchemy", "sentence_transformers", "sklearn", "tokenizers", "torch", "transformers",
    "unstructured",
}  # fmt: skip
TRAINING = {
    "alembic", "dagster", "great_expectations", "optuna", "pandas", "scipy",
    "sentence_transformers", "sklearn", "torch", "transformers", "unstructured",
}  # fmt: skip
REPORT = """
import atexit, sys
from ragline.commands import main
atexit.register(lambda: print("imported:", *sorted({n.partition(".")[0] for n in sys.modules})))
main()
"""


def list_imported(folder: Path, *arguments: str, status: int, url: str = "") -> set[str]:
    home = Home(folder, url or None)
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *arguments],
        cwd=folder,
        env=home.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return set(done.stdout.splitlines()[-1].removeprefix("imported: ").split())


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "init"])
def test_wrong_configuration_is_reported_before_heavy_imports(command: str, tmp_path: Path) -> None:
    (tmp_path / "ragline.yaml").write_text("sources: [{name: a, kind: filez}]\n", "utf-8")
    arguments = NEEDS.get(command, [])
    assert list_imported(tmp_path, command, *arguments, status=2) & HEAVY == set()


def test_help_imports_no_command(tmp_path: Path) -> None:
    imported = list_imported(tmp_path, "--help", status=0)
    assert imported & {*HEAVY, "pydantic", "dagster_project", "retrieval_api"} == set()


def test_search_imports_no_library_of_training_or_of_the_pipeline(
    tmp_path: Path, database_url: str
) -> None:
    (tmp_path / "ragline.yaml").write_text("collections: [{name: notes}]\n", "utf-8")
    imported = list_imported(tmp_path, "search", "notes", "tea", status=1, url=database_url)
    assert imported & TRAINING == set()


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        ("sync", "dagster", "pipeline"),
        ("serve", "fastapi", "service"),
        ("demo", "dagster", "pipeline"),
    ],
)
def test_missing_package_is_named_with_its_extra(
    command: str, package: str, extra: str, tmp_path: Path
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "ragline.yaml").write_text(
        "sources: [{name: a, collection: a, kind: files, uri: ./notes}]\n", "utf-8"
    )
    program = f"import sys; sys.modules[{package!r}] = None\n" + REPORT
    done = subprocess.run(
        [sys.executable, "-c", program, command],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"`ragline {command}` needs the package {package}" in done.stderr
    assert f"install ragline[{extra}]" in done.stderr
    assert "Traceback" not in done.stderr
