"""Reads the folder of a golden set.

Each line of `queries.jsonl` is a query. Each line of `qrels/<split>.tsv` is a judgement with three
to seven columns: `query-id`, `corpus-id`, `score`, `source`, `passage`, `judged-by` and
`judged-at`. Programs for the BEIR layout read the first three.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ragline.errors import GoldenSetError
from ragline.golden_set.content import (
    Finding,
    FindingKind,
    GoldenContent,
    GoldenQuery,
    GoldenSet,
    Judgement,
    JudgementKey,
    find_repeated_texts,
    make_golden_set,
)
from ragline.golden_set.line_files import check_storable, read_json_lines, read_rows
from ragline.golden_set.splits import SPLITS, choose_split

DEFAULT_QRELS = "test"
COLUMNS = ("query-id", "corpus-id", "score")
MORE_COLUMNS = ("source", "passage", "judged-by", "judged-at")


def queries_path(folder: Path) -> Path:
    return folder / "queries.jsonl"


def qrels_path(folder: Path, split: str = DEFAULT_QRELS) -> Path:
    return folder / "qrels" / f"{split}.tsv"


def read_golden_set(folder: Path, split: str = DEFAULT_QRELS) -> GoldenSet:
    """Read the golden set in a folder, without the queries that have no judgement.

    `split` selects the file of judgements, `qrels/<split>.tsv`. If there is no such file and
    `split` is `tune`, `gate` or `holdout`, the queries of this split of `qrels/test.tsv` are read.

    Raises:
        GoldenSetError: a file or a judged query is missing, a line is malformed, or there is no
            judgement. The message names the file.
    """
    chosen = split in SPLITS and not qrels_path(folder, split).is_file()
    judged = qrels_path(folder, DEFAULT_QRELS if chosen else split)
    for path in (queries_path(folder), judged):
        if not path.is_file():
            raise GoldenSetError(f"{path}: there is no such file; a golden set needs it")
    content = read_content(folder, judged.stem)
    if not content.judgements:
        raise GoldenSetError(f"{judged}: the file contains no judgement")
    if not chosen:
        return make_golden_set(content)
    golden = make_golden_set(
        content, [key for key in content.queries if choose_split(key) == split]
    )
    if not golden.queries:
        raise GoldenSetError(f"{folder}: no judged query is in the split {split}; add queries")
    return golden


def read_content(folder: Path, split: str = DEFAULT_QRELS) -> GoldenContent:
    """Read everything in a folder. A missing file counts as empty.

    Raises:
        GoldenSetError: a line is malformed, or a judgement contradicts a query or another
            judgement. The message names the file and the line.
    """
    content = GoldenContent()
    queries, judged = queries_path(folder), qrels_path(folder, split)
    if queries.is_file():
        _add_queries(content, queries)
    if judged.is_file():
        _add_judgements(content, judged)
    return content


def read_query(row: dict[str, Any], line: str | None, location: str) -> GoldenQuery:
    """Return the query in a line of `queries.jsonl`.

    Raises:
        GoldenSetError: a field is missing or has a wrong type.
    """
    key, text = row.get("_id"), row.get("text")
    if not (_is_plain(key) and _is_plain(text)):
        raise GoldenSetError(f"{location}: is not a JSON object with `_id` and `text`")
    is_answerable = row.get("answerable", True)
    if not isinstance(is_answerable, bool):
        raise GoldenSetError(
            f"{location}: `answerable` is {is_answerable!r}; write true or false, without quotes"
        )
    fields = {name: row[name] for name in row if name not in {"_id", "text", "answerable"}}
    return GoldenQuery(
        check_storable(str(key), location),
        check_storable(str(text), location),
        is_answerable,
        fields,
        line,
    )


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _add_queries(content: GoldenContent, path: Path) -> None:
    lines: dict[str, int] = {}
    for number, line, row in read_json_lines(path):
        query = read_query(row, line, f"{path}:{number}")
        if query.id in content.queries:
            message = f"the query {query.id!r} is also in line {lines[query.id]}; remove one"
            content.findings.append(Finding("duplicate_query", path, number, message))
        content.queries[query.id] = query
        lines[query.id] = number
    for first, *others in find_repeated_texts(content.queries.values()):
        for other in others:
            message = f"the query {other!r} has the same text as {first!r}; remove one"
            content.findings.append(Finding("same_text", path, lines[other], message))


def _add_judgements(content: GoldenContent, path: Path) -> None:
    lines: dict[JudgementKey, int] = {}
    has_source: dict[tuple[str, str], bool] = {}
    for number, judgement in _read_judgements(path):
        location = f"{path}:{number}"
        _check_query(content, judgement, path.parent.parent, location)
        named = (judgement.query_id, judgement.document_id)
        is_sourced = judgement.source is not None
        if has_source.setdefault(named, is_sourced) != is_sourced:
            raise GoldenSetError(
                f"{location}: judges {judgement.document_id!r} for {judgement.query_id!r} with and "
                "without a source; name the source in both judgements"
            )
        known = content.judgements.get(judgement.key)
        if known is not None:
            finding = _describe_repetition(known, judgement, lines[judgement.key])
            content.findings.append(Finding(finding[0], path, number, finding[1]))
        if judgement.grade < 0:
            message = f"the grade {judgement.grade} is negative; write 0 for `not relevant`"
            content.findings.append(Finding("negative_grade", path, number, message))
        content.judgements[judgement.key] = judgement
        lines[judgement.key] = number


def _describe_repetition(known: Judgement, again: Judgement, line: int) -> tuple[FindingKind, str]:
    judged = f"the judgement of {again.document_id!r} for {again.query_id!r} is also in line {line}"
    if known.grade == again.grade:
        return "duplicate_judgement", f"{judged}; remove one"
    grades = f"with the grade {known.grade} and not {again.grade}"
    return "conflicting_judgement", f"{judged}, {grades}; remove one"


def _check_query(content: GoldenContent, judgement: Judgement, folder: Path, location: str) -> None:
    query = content.queries.get(judgement.query_id)
    if query is None:
        raise GoldenSetError(
            f"{queries_path(folder)}: has no query {judgement.query_id!r}, which is judged in "
            f"{location}"
        )
    if judgement.grade > 0 and not query.is_answerable:
        raise GoldenSetError(
            f"{location}: judges {judgement.document_id!r} as relevant for {query.id!r}, which has "
            "`answerable: false`; remove one of the two"
        )


def _read_judgements(path: Path) -> Iterator[tuple[int, Judgement]]:
    columns: Sequence[str] = COLUMNS
    is_first = True
    for number, row in read_rows(path, "\t"):
        location = f"{path}:{number}"
        if is_first and row[0] == COLUMNS[0]:
            columns = _check_header(row, location)
        else:
            yield number, _read_judgement(row, columns, location)
        is_first = False


def _check_header(row: list[str], location: str) -> list[str]:
    for name in row[len(COLUMNS) :]:
        if name not in MORE_COLUMNS:
            raise GoldenSetError(
                f"{location}: has the unknown column {name!r}; allowed after score: "
                f"{', '.join(MORE_COLUMNS)}"
            )
    return [*COLUMNS, *row[len(COLUMNS) :]]


def _read_judgement(row: list[str], columns: Sequence[str], location: str) -> Judgement:
    if not (len(COLUMNS) <= len(row) <= len(columns) and _is_number(row[2])):
        hint = "; separate the cells with tabs" if len(row) == 1 else ""
        raise GoldenSetError(f"{location}: is not `query-id TAB corpus-id TAB score`{hint}")
    for text in row:
        check_storable(text, location)
    more = dict(zip(columns[len(COLUMNS) :], row[len(COLUMNS) :], strict=False))
    return Judgement(
        row[0],
        row[1],
        int(row[2]),
        source=more.get("source") or None,
        passage=" ".join(more.get("passage", "").split()) or None,
        judged_by=more.get("judged-by") or None,
        judged_at=more.get("judged-at") or None,
    )


def _is_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True
