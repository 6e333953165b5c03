"""The version of the code: the commit of a clone, changed files, and folders that are no clone."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from ragline.code_version import read_checkout, read_code_version


def run_git(folder: Path, *arguments: str) -> str:
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    command = ["git", "-C", str(folder), *author, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    run_git(tmp_path, "init", "-q")
    (tmp_path / "module.py").write_text("X = 1\n", "utf-8")
    run_git(tmp_path, "add", ".")
    run_git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_commit_of_a_clone_is_named(clone: Path) -> None:
    assert read_checkout(clone) == run_git(clone, "rev-parse", "HEAD")[:12]


def test_tag_does_not_replace_the_commit(clone: Path) -> None:
    run_git(clone, "tag", "-a", "v9", "-m", "nine")
    assert read_checkout(clone) == run_git(clone, "rev-parse", "HEAD")[:12]


def test_changed_file_is_visible(clone: Path) -> None:
    (clone / "module.py").write_text("X = 2\n", "utf-8")
    assert read_checkout(clone) == run_git(clone, "rev-parse", "HEAD")[:12] + ".dirty"


def test_repository_around_an_installed_package_is_not_its_commit(clone: Path) -> None:
    (clone / "site-packages").mkdir()
    assert read_checkout(clone / "site-packages") is None


def test_broken_repository_gives_no_commit(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: nowhere\n", "utf-8")
    assert read_checkout(tmp_path) is None


def test_variables_of_a_hook_do_not_change_the_commit(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(clone / "elsewhere"))
    assert read_checkout(clone) is not None


def test_code_version_begins_with_the_version_of_the_package() -> None:
    assert read_code_version().partition("+")[0] == version("ragline")
