"""The files of the repository, for tests that read all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

REPOSITORY = Path(__file__).parent.parent
# Texts by other authors.
SAMPLES = ("examples/glossary.jsonl", "examples/handbook/", "examples/peps/", "tests/data/")
PACKAGES = ("ragline", "assets", "dagster_project", "retrieval_api")


def list_files() -> list[str]:
    """The paths of all files that Git does not ignore, without the sample texts, in order."""
    ignored = GitIgnoreSpec.from_lines(
        [*(REPOSITORY / ".gitignore").read_text("utf-8").splitlines(), ".git", ".venv"]
    )
    return sorted(name for name in _walk(REPOSITORY, ignored) if not name.startswith(SAMPLES))


def list_source_files() -> list[str]:
    """The paths of the Python files of the four packages."""
    return [name for name in list_files() if name.split("/")[0] in PACKAGES and is_python(name)]


def list_pages() -> list[str]:
    """The paths of the Markdown files."""
    return [name for name in list_files() if name.endswith(".md")]


def is_python(name: str) -> bool:
    """Whether a path names a Python file."""
    return name.endswith(".py")


def read_text(name: str) -> str:
    """The content of a text file; an empty string for any other file."""
    try:
        return (REPOSITORY / name).read_text("utf-8")
    except UnicodeDecodeError:
        return ""


def _walk(folder: Path, ignored: GitIgnoreSpec) -> Iterator[str]:
    for path in folder.iterdir():
        name = path.relative_to(REPOSITORY).as_posix()
        if path.is_dir() and not path.is_symlink():
            if not ignored.match_file(f"{name}/"):
                yield from _walk(path, ignored)
        elif not ignored.match_file(name):
            yield name
