"""Writes the files of a golden set, so that a reader always sees a complete golden set.

The queries are written before the judgements. If the process is killed in between, the golden set
has a query without a judgement, which is valid.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ragline.errors import FileNotWrittenError, GoldenSetError
from ragline.golden_set.card import FILE_NAME as CARD_NAME
from ragline.golden_set.content import GoldenContent, GoldenQuery, Judgement
from ragline.golden_set.reading import (
    COLUMNS,
    DEFAULT_QRELS,
    MORE_COLUMNS,
    qrels_path,
    queries_path,
    read_content,
)


@contextmanager
def edit_golden_set(folder: Path) -> Iterator[GoldenContent]:
    """Lock a golden set, read it, and write it after the block if its content has changed.

    The folder is created. Another process that edits the same golden set waits. After an error in
    the block, nothing is written.

    Raises:
        GoldenSetError: the golden set is malformed, or it has two judgements that contradict each
            other. Both must be corrected by hand first.
        FileNotWrittenError: a file could not be written.
    """
    is_new = not folder.exists()
    make_folder(qrels_path(folder).parent)
    try:
        with lock_folder(folder):
            content = read_content(folder)
            _refuse_contradictions(content)
            before = (dict(content.queries), dict(content.judgements))
            yield content
            if (content.queries, content.judgements) != before:
                write_content(folder, content)
    finally:
        if is_new and not queries_path(folder).exists():
            _remove_empty(folder)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, if they do not exist.

    Raises:
        FileNotWrittenError: the folder could not be created.
    """
    with _explaining(folder):
        folder.mkdir(parents=True, exist_ok=True)


def is_folder_writable(folder: Path) -> bool:
    """Return whether this process may create and replace files in a folder.

    If the folder does not exist, the result says whether the process may create it.
    """
    nearest = next(one for one in (folder, *folder.parents) if one.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock a folder against other processes that edit the same golden set."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_content(folder: Path, content: GoldenContent) -> None:
    """Write `queries.jsonl` and `qrels/test.tsv` into a folder.

    If the folder does not exist, it is created. A line that has not changed is written as it was.

    Raises:
        FileNotWrittenError: a file could not be written. The old file is unchanged.
    """
    write_text(queries_path(folder), "".join(map(_format_query, content.queries.values())))
    write_text(qrels_path(folder, DEFAULT_QRELS), _format_judgements(content.judgements.values()))


def export_golden_set(folder: Path, path: Path, split: str = DEFAULT_QRELS) -> GoldenContent:
    """Write a golden set with its card to a new folder `path`, in the BEIR layout.

    `split` selects the judgements to export; they are written to `qrels/test.tsv`. The folder is
    written completely or not at all.

    Raises:
        GoldenSetError: there is no golden set in `folder`, or `path` exists and is not empty.
        FileNotWrittenError: a file could not be written.
    """
    if not queries_path(folder).is_file():
        raise GoldenSetError(
            f"{queries_path(folder)}: there is no such file; a golden set needs it"
        )
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise GoldenSetError(f"{path}: exists and is not empty; name a new folder")
    content = read_content(folder, split)
    make_folder(path.parent)
    with (
        _explaining(path),
        tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as made,
    ):
        unfinished = Path(made) / "golden"
        write_content(unfinished, content)
        if (folder / CARD_NAME).is_file():
            shutil.copyfile(folder / CARD_NAME, unfinished / CARD_NAME)
        unfinished.replace(path)
    return content


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step. A reader sees the old content or the new one.

    Raises:
        FileNotWrittenError: the file could not be written. The old file is unchanged.
    """
    make_folder(path.parent)
    with _explaining(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        unfinished = Path(name)
        try:
            unfinished.chmod(0o644)  # `mkstemp` sets 0600, but other users also read golden sets
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def _refuse_contradictions(content: GoldenContent) -> None:
    for finding in content.findings:
        if finding.kind in {"conflicting_judgement", "duplicate_query"}:
            raise GoldenSetError(f"{finding.text}. Nothing was written")


def _format_query(query: GoldenQuery) -> str:
    if query.line is not None:
        return f"{query.line}\n"
    row = {"_id": query.id, "text": query.text}
    flag = {} if query.is_answerable else {"answerable": False}
    return json.dumps(row | flag | dict(query.fields), ensure_ascii=False) + "\n"


def _format_judgements(judgements: Iterable[Judgement]) -> str:
    rows = [_list_cells(one) for one in judgements]
    width = max(map(len, rows), default=len(COLUMNS))
    output = io.StringIO(newline="")
    writer = csv.writer(output, delimiter="\t", lineterminator="\n")
    # By default, the writer does not quote a carriage return, and a reader would end the row there.
    quoting = csv.writer(output, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow((COLUMNS + MORE_COLUMNS)[:width])
    for row in rows:
        (quoting if any("\r" in cell for cell in row) else writer).writerow(row)
    return output.getvalue()


def _list_cells(judgement: Judgement) -> list[str]:
    """Return the cells of a judgement, at least three, without empty cells at the end."""
    more = [judgement.source, judgement.passage, judgement.judged_by, judgement.judged_at]
    while more and not more[-1]:
        more.pop()
    cells = [judgement.query_id, judgement.document_id, str(judgement.grade)]
    return cells + [cell or "" for cell in more]


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileNotWrittenError(f"{path} could not be written: {error.strerror}") from error


def _remove_empty(folder: Path) -> None:
    for path in (folder / "qrels", folder):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
