"""Lists the templates and writes one into a folder.

This module imports no large package, because `ragline init --help` lists the templates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from ragline.errors import ConfigurationError, FileNotWrittenError


@dataclass(frozen=True, slots=True)
class Template:
    """A template: the content that it indexes, its sample, and a question that the sample answers.

    `first_steps` are the commands to run before the first sync.
    """

    summary: str
    sample: str
    question: str
    first_steps: tuple[str, ...] = ()


TEMPLATES = {
    "files": Template("documents in a folder", "3 sample documents", "what does a lost card cost"),
    "website": Template(
        "the pages of a website",
        "3 sample pages",
        "may I bring my dog",
        ("python -m http.server 8899 --bind 127.0.0.1 --directory site   # in another terminal",),
    ),
    "database": Template(
        "the rows of an SQL query",
        "3 sample rows",
        "how to protect lettuce from slugs",
        (
            "export SOURCE_DATABASE_URL=postgresql://...   # SQLite: see the file",
            'psql "$SOURCE_DATABASE_URL" -f sample.sql',
        ),
    ),
    "tickets": Template(
        "an export of support tickets, as JSON lines or CSV",
        "5 sample tickets",
        "the router restarts at night",
    ),
}


def write_template(name: str, folder: Path) -> list[Path]:
    """Write the files of a template into a folder. Create the folder if it does not exist.

    Returns the paths of the files. The first one is the configuration. No file is overwritten.

    Raises:
        ConfigurationError: a file of the template exists already. Nothing was written.
        FileNotWrittenError: a file could not be written. No file of the template is left.
    """
    contents = {folder / path: content for path, content in _read_files(name)}
    for path in contents:
        if path.exists():
            raise ConfigurationError(
                f"{path} exists and is not overwritten; name an empty folder: ragline init "
                f"--template {name} FOLDER"
            )
    written: list[Path] = []
    for path, content in contents.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(content)
        except OSError as error:
            for unfinished in written:
                unfinished.unlink(missing_ok=True)
            raise FileNotWrittenError(
                f"{path} could not be written: {error.strerror}; name a folder that is writable"
            ) from error
    return written


def _read_files(name: str) -> Iterator[tuple[Path, str]]:
    """The paths within a template and the contents of the files. The configuration is the first."""
    root = files("ragline.templates") / name
    yield Path("ragline.yaml"), (root / "ragline.yaml").read_text(encoding="utf-8")
    for path, file in sorted(_list_files(root, Path())):
        if path != Path("ragline.yaml"):
            yield path, file.read_text(encoding="utf-8")


def _list_files(folder: Traversable, path: Path) -> Iterator[tuple[Path, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _list_files(entry, path / entry.name)
        else:
            yield path / entry.name, entry
