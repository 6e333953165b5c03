"""Proposes a first `ragline.yaml` for a folder.

One source reads the documents: the commits of a Git repository with documents, or else the files in
the folder and its subfolders. Each file of records (JSON lines) gets its own source. All settings
are described in docs/configuration.md.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from ragline.configuration.loading import home_of
from ragline.parsing.formats import FORMATS
from ragline.sources.files.paths import EVERYTHING, PathPatterns

# File endings of documents. Data formats are left out, because their files are often data of
# programs.
DOCUMENT_SUFFIXES = tuple(
    suffix for row in FORMATS.values() if not row.is_data for suffix in row.suffixes
)
RECORD_SUFFIXES = (".jsonl", ".ndjson")
# Folders that development tools create. Their files are not documents that a person wrote.
PROGRAM_FOLDERS = (
    ".venv", "venv", "node_modules", "site-packages", "build", "dist", "target", "vendor",
)  # fmt: skip
# File endings of source code. A folder with such a file counts as the folder of a program. A file
# with an ending in PAGE_SUFFIXES does not make it one, because web pages also have such files.
PAGE_SUFFIXES = (".css", ".js", ".mjs")
PROGRAM_SUFFIXES = (
    ".c", ".cc", ".cpp", ".cs", ".go", ".h", ".hpp", ".java", ".jsx", ".kt", ".lua", ".php", ".pl",
    ".py", ".pyi", ".r", ".rb", ".rs", ".scala", ".scss", ".sh", ".sql", ".swift", ".ts", ".tsx",
    ".vue", *PAGE_SUFFIXES,
)  # fmt: skip
# Ragline's own files in the folder of the configuration file.
OWN_PATHS = ("/ragline.yaml", "/.ragline/")
# Names of columns, in order of preference.
ID_COLUMNS = ("_id", "id", "doc_id", "document_id", "uuid", "key", "slug", "url")
TITLE_COLUMNS = ("title", "name", "headline", "subject")
TEXT_COLUMNS = ("text", "body", "content", "contents", "abstract", "description", "answer")
# Listing stops after this number of files, which are enough to know the formats.
MAX_FILES = 20_000
MAX_LINE_BYTES = 1_000_000
MAX_NAME_CHARS = 50


@dataclass(frozen=True, slots=True)
class FoundSource:
    """A source to write into the configuration file.

    `settings` are its lines in the file. `holds` describes its documents in words.
    """

    name: str
    kind: str
    settings: tuple[str, ...]
    holds: str


@dataclass(frozen=True, slots=True)
class FoundRecords:
    """A file of records and the source that reads it."""

    file: PurePath
    found: FoundSource


@dataclass(frozen=True, slots=True)
class FirstConfiguration:
    """The text of a configuration file, its collection, and its sources."""

    collection: str
    sources: tuple[FoundSource, ...]
    text: str


def propose_configuration(folder: Path) -> FirstConfiguration:
    """Propose a `ragline.yaml` from the names of files and the first line of each file of records.

    A folder without documents gets a source of the kind `files`.
    """
    folder = folder.resolve()
    collection = _make_name(folder.name, taken=())
    records = list(_find_records(folder))
    own = [*OWN_PATHS, *_list_home(folder), *(_anchor(source.file) for source in records)]
    sources: list[FoundSource] = []
    for found in [_find_files(folder, own), *(source.found for source in records)]:
        taken = [source.name for source in sources]
        sources.append(
            FoundSource(_make_name(found.name, taken), found.kind, found.settings, found.holds)
        )
    return FirstConfiguration(collection, tuple(sources), _write(collection, sources))


def _find_files(folder: Path, own: list[str]) -> FoundSource:
    """Return a source for the committed documents of a repository.

    If there are no committed documents, return a source for the files on disk.
    """
    committed = _list_committed(folder)
    if any(map(_is_document, committed)):
        branch = (
            "# This source reads the commits of the current branch. To read the files in the",
            "# folder, with uncommitted changes, write `kind: files`.",
        )
        return _describe_folder("repository", "git", branch, committed, own)
    return _describe_folder("files", "files", (), list(_list_files(folder)), own)


def _describe_folder(
    name: str, kind: str, notes: tuple[str, ...], paths: list[PurePosixPath], own: list[str]
) -> FoundSource:
    """Return a source for a folder. It has no `include`, so that syncs find new formats later."""
    left_out = [*own, *_list_program_patterns(paths)]
    settings = (
        *notes,
        "uri: .",
        "# All files are read, also in subfolders. Files without a reader are listed as",
        "# unsupported. Names that begin with a dot are left out. Names that match these patterns",
        "# (as in .gitignore) are left out too: Ragline's own files, and files of programs.",
        "exclude:",
        *(f"  - {json.dumps(pattern, ensure_ascii=False)}" for pattern in left_out),
    )
    return FoundSource(name, kind, settings, _count_kinds([*filter(_is_document, paths)]))


def _list_program_patterns(paths: list[PurePosixPath]) -> list[str]:
    """Return the patterns of program files, for the setting `exclude`.

    For the folder of a program, also return the patterns of PROGRAM_FOLDERS.
    """
    counted = Counter(path.suffix for path in paths if path.suffix.lower() in PROGRAM_SUFFIXES)
    endings = [f"*{suffix}" for suffix in sorted(counted)]
    is_program = any(suffix.lower() not in PAGE_SUFFIXES for suffix in counted)
    return [*(f"{name}/" for name in PROGRAM_FOLDERS), *endings] if is_program else endings


def _list_home(folder: Path) -> list[str]:
    """Return a list with the pattern of Ragline's data folder; empty if it is not in `folder`."""
    home = home_of(folder / "ragline.yaml").resolve()
    return [f"{_anchor(home.relative_to(folder))}/"] if folder in home.parents else []


def _anchor(path: PurePath) -> str:
    """Return a pattern that matches only this path, relative to the folder of the source."""
    return "/" + re.sub(r"([\\*?\[\]])", r"\\\1", path.as_posix())


def _find_records(folder: Path) -> Iterator[FoundRecords]:
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in RECORD_SUFFIXES and path.is_file():
            fields = _guess_fields(path)
            if fields:
                uri = json.dumps(f"./{path.name}", ensure_ascii=False)
                settings = (f"uri: {uri}", f"fields: {{{fields}}}")
                found = FoundSource(path.stem, "records", settings, "one record a line")
                yield FoundRecords(PurePath(path.name), found)


def _guess_fields(path: Path) -> str | None:
    """Guess which columns of a file of records contain id, title and text.

    The first record decides. Return the setting `fields` as YAML, or None without an id or a text.
    """
    with path.open("rb") as file:
        line = file.readline(MAX_LINE_BYTES)
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict):
        return None
    texts = {str(key): value for key, value in record.items() if isinstance(value, str) and value}
    longest = max(texts, key=lambda key: len(texts[key]), default=None)
    text = next((name for name in TEXT_COLUMNS if name in texts), longest)
    key = next((name for name in ID_COLUMNS if record.get(name) not in (None, "")), None)
    if text is None or key is None:
        return None
    title = next((name for name in TITLE_COLUMNS if name in texts and name != text), None)
    columns = {"id": key, "title": title, "text": text}
    return ", ".join(
        f"{name}: {json.dumps(column, ensure_ascii=False)}"
        for name, column in columns.items()
        if column is not None
    )


def _list_files(folder: Path) -> Iterator[PurePosixPath]:
    """Yield the files on disk in order, without hidden files and without PROGRAM_FOLDERS."""
    patterns = PathPatterns(EVERYTHING, ())
    seen = 0
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not patterns.is_hidden(name)
            and not patterns.skips_folder(name)
            and name not in PROGRAM_FOLDERS
        )
        for name in sorted(names):
            path = PurePosixPath((Path(root) / name).relative_to(folder).as_posix())
            if patterns.matches(str(path)):
                yield path
        seen += len(names)
        if seen > MAX_FILES:
            return


def _list_committed(folder: Path) -> list[PurePosixPath]:
    """Return the files in the last commit; an empty list if the folder is not a repository."""
    if not (folder / ".git").exists():
        return []
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "ls-tree", "-r", "-z", "--name-only", "HEAD"],
            check=False, capture_output=True, timeout=30,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return []
    patterns = PathPatterns(EVERYTHING, ())
    names = done.stdout.decode(errors="replace").split("\0") if done.returncode == 0 else []
    return [PurePosixPath(name) for name in names if name and patterns.matches(name)]


def _is_document(path: PurePosixPath) -> bool:
    return path.suffix.lower() in DOCUMENT_SUFFIXES


def _count_kinds(paths: list[PurePosixPath]) -> str:
    if not paths:
        return "no documents yet"
    kinds = Counter(path.suffix.lower().removeprefix(".") for path in paths)
    shown = ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common())
    return f"{len(paths):,} document{'' if len(paths) == 1 else 's'}: {shown}"


def _make_name(text: str, taken: Iterable[str]) -> str:
    """Make a valid name from `text` that is not in `taken`."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower())[:MAX_NAME_CHARS].strip("-") or "documents"
    number, name = 1, plain
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    return name


def _write(collection: str, sources: Iterable[FoundSource]) -> str:
    blocks = "".join(_write_source(source, collection) for source in sources)
    return f"""\
# This file says what Ragline indexes. `ragline check` checks the file. `ragline sync` updates the
# index. `ragline search {collection} "a question"` searches the index. Paths are relative to the
# folder of this file. docs/configuration.md describes all settings.
collections:
  # A collection is a set of sources that are searched together, with one model.
  - name: {collection}
    # The language of the keyword search: english, german, french, ..., or simple for any language.
    language: english
sources:
{blocks}"""


def _write_source(source: FoundSource, collection: str) -> str:
    settings = "".join(f"    {line}\n" for line in source.settings)
    return f"""\
  # {source.holds.capitalize()}.
  - name: {source.name}
    collection: {collection}
    kind: {source.kind}
{settings}    # The longest time until searches show a change, and until they no longer show a
    # removed document.
    visible_within: 10m
    forgotten_within: 10m
"""
