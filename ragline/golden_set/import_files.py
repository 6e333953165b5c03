"""Reads queries and judgements in other formats, to import them into a golden set.

The formats are a folder in the BEIR layout, judgements in the TREC format with a file of queries,
and a table in a CSV file or as JSON lines. Each row of a table contains a query and a judgement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ragline.errors import GoldenSetError
from ragline.golden_set.content import (
    MAX_QUERY_CHARS,
    GoldenContent,
    GoldenQuery,
    Judgement,
    make_query_id,
)
from ragline.golden_set.line_files import check_storable, read_json_lines, read_rows, read_text
from ragline.golden_set.reading import qrels_path, queries_path, read_content, read_query

COLUMNS = (
    "id", "query", "source", "document", "relevance", "passage", "answerable", "judged_by",
    "judged_at",
)  # fmt: skip
DELIMITERS = (",", ";", "\t")
# The columns are the query id, the iteration, the document id and the grade.
TREC_COLUMNS = 4
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")


@dataclass(slots=True)
class ImportedContent:
    """Queries and judgements with the location of each, such as `judged.csv:7`.

    `queries` has the queries by id. Those in `unnamed` have an id that was made from their text.
    """

    queries: dict[str, GoldenQuery] = field(default_factory=dict)
    judgements: list[tuple[str, Judgement]] = field(default_factory=list)
    locations: dict[str, str] = field(default_factory=dict)
    unnamed: set[str] = field(default_factory=set)

    def add_query(self, query: GoldenQuery, location: str) -> None:
        """Add a query.

        Raises:
            GoldenSetError: the query is empty or too long, or its id has another text already.
        """
        if not query.text.strip() or not query.id.strip():
            raise GoldenSetError(f"{location}: the query or its id is empty; write both")
        if len(query.text) > MAX_QUERY_CHARS:
            raise GoldenSetError(
                f"{location}: the query has {len(query.text):,} characters; the maximum is "
                f"{MAX_QUERY_CHARS:,}"
            )
        known = self.queries.setdefault(query.id, query)
        if (known.text, known.is_answerable) != (query.text, query.is_answerable):
            raise GoldenSetError(
                f"{location}: the query {query.id!r} is also in {self.locations[query.id]}, with "
                "another text or another answerable; use one id for each query"
            )
        self.locations.setdefault(query.id, location)

    def add_judgement(self, judgement: Judgement, location: str) -> None:
        """Add a judgement.

        Raises:
            GoldenSetError: the grade is negative, or the judgement contradicts its query.
        """
        query = self.queries.get(judgement.query_id)
        if query is None:
            raise GoldenSetError(
                f"{location}: judges the query {judgement.query_id!r}, which has no text; add it "
                "to the queries"
            )
        if not judgement.document_id.strip():
            raise GoldenSetError(f"{location}: the document id is empty")
        if judgement.grade < 0:
            raise GoldenSetError(
                f"{location}: the relevance {judgement.grade} is negative; write 0 for a document "
                "that is not relevant"
            )
        if judgement.grade > 0 and not query.is_answerable:
            raise GoldenSetError(
                f"{location}: a document is relevant for {query.id!r}, which is not answerable; "
                "remove one of the two"
            )
        self.judgements.append((location, judgement))


def read_import(path: Path, queries: Path | None, split: str) -> ImportedContent:
    """Read queries and judgements from a folder or a file.

    A folder is in the BEIR layout, and `split` selects its file of judgements. With `queries`, the
    file has judgements in the TREC format. Otherwise it is a table, `.csv`, `.tsv` or `.jsonl`.

    Raises:
        GoldenSetError: a file is missing or malformed. The message names file, line and remedy.
    """
    if not path.exists():
        raise GoldenSetError(f"{path}: there is no such file or folder")
    if path.is_dir():
        if queries is not None:
            raise GoldenSetError(f"{path}: is a folder and has its queries; leave out --queries")
        return _read_folder(path, split)
    if queries is not None:
        return _read_trec(path, queries)
    suffix = path.suffix.casefold()
    if suffix in {".csv", ".tsv"}:
        return _read_table(path, _read_csv(path))
    if suffix == ".jsonl":
        rows = ((number, row) for number, _, row in read_json_lines(path))
        return _read_table(path, rows)
    raise GoldenSetError(
        f"{path}: is not a folder in the BEIR layout or a .csv, .tsv or .jsonl file; for the TREC "
        "format, name the file of the queries with --queries"
    )


def _read_folder(folder: Path, split: str) -> ImportedContent:
    judged = qrels_path(folder, split)
    for path in (queries_path(folder), judged):
        if not path.is_file():
            known = ", ".join(sorted(one.stem for one in (folder / "qrels").glob("*.tsv")))
            raise GoldenSetError(
                f"{path}: there is no such file; a folder in the BEIR layout needs it"
                f"{f'; name one of these splits with --split: {known}' if known else ''}"
            )
    content = read_content(folder, split)
    _refuse_repetitions(content)
    imported = ImportedContent()
    for query in content.queries.values():
        imported.add_query(query, f"{queries_path(folder)}: {query.id}")
    for judgement in content.judgements.values():
        location = f"{judged}: {judgement.query_id} {judgement.document_id}"
        imported.add_judgement(judgement, location)
    return imported


def _refuse_repetitions(content: GoldenContent) -> None:
    for finding in content.findings:
        if finding.kind not in {"same_text", "duplicate_judgement"}:
            raise GoldenSetError(finding.text)


def _read_trec(path: Path, queries: Path) -> ImportedContent:
    imported = ImportedContent()
    for location, query in _read_trec_queries(queries):
        if query.id in imported.queries:
            raise GoldenSetError(f"{location}: the query id {query.id!r} occurs twice; remove one")
        imported.add_query(query, location)
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        cells = line.split()
        if not cells:
            continue
        location = f"{path}:{number}"
        if len(cells) != TREC_COLUMNS:
            raise GoldenSetError(
                f"{location}: is not `query-id iteration document-id relevance`, four values with "
                "spaces or tabs between them"
            )
        check_storable(line, location)
        grade = _read_grade(cells[3], location)
        imported.add_judgement(Judgement(cells[0], cells[2], grade), location)
    return imported


def _read_trec_queries(path: Path) -> Iterator[tuple[str, GoldenQuery]]:
    if path.suffix.casefold() == ".jsonl":
        for number, _, row in read_json_lines(path):
            yield f"{path}:{number}", read_query(row, None, f"{path}:{number}")
        return
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        key, tab, text = line.partition("\t")
        if not tab:
            raise GoldenSetError(f"{path}:{number}: is not `query-id TAB query`")
        check_storable(line, f"{path}:{number}")
        yield f"{path}:{number}", GoldenQuery(key.strip(), text.strip())


def _read_csv(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    header = read_text(path).partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    columns: list[str] | None = None
    for number, row in read_rows(path, delimiter):
        if columns is None:
            columns = [name.strip().casefold() for name in row]
        elif len(row) != len(columns):
            raise GoldenSetError(
                f"{path}:{number}: has {len(row)} cells; the header has {len(columns)}. Quote a "
                "cell that contains the separator"
            )
        else:
            yield number, dict(zip(columns, row, strict=True))


def _read_table(path: Path, rows: Iterator[tuple[int, dict[str, Any]]]) -> ImportedContent:
    imported = ImportedContent()
    for number, row in rows:
        location = f"{path}:{number}"
        _check_columns(row, location)
        query = _read_table_query(row, location)
        if not _cell(row, "id", location):
            imported.unnamed.add(query.id)
        imported.add_query(query, location)
        document = _cell(row, "document", location)
        if document:
            imported.add_judgement(_read_table_judgement(row, query, document, location), location)
        elif query.is_answerable:
            raise GoldenSetError(
                f"{location}: names no document; write its id, or `answerable` false for a query "
                "without an answer"
            )
    if not imported.queries:
        raise GoldenSetError(f"{path}: has no row with a query")
    return imported


def _check_columns(row: Mapping[str, Any], location: str) -> None:
    unknown = [name for name in row if name not in COLUMNS]
    if unknown or "query" not in row:
        wrong = f"has the unknown column {unknown[0]!r}" if unknown else "has no column `query`"
        raise GoldenSetError(f"{location}: {wrong}; columns: {', '.join(COLUMNS)}")


def _read_table_query(row: Mapping[str, Any], location: str) -> GoldenQuery:
    text = _cell(row, "query", location)
    stated = _cell(row, "answerable", location).casefold()
    if stated not in {"", *TRUE, *FALSE}:
        raise GoldenSetError(f"{location}: answerable is {stated!r}; write true or false")
    is_answerable = stated not in FALSE
    key = _cell(row, "id", location) or make_query_id(text)
    # A judgement records who made it. A query without an answer has no judgement, so the query
    # itself records who decided that.
    fields = {} if is_answerable else _read_judge(row, location)
    return GoldenQuery(key, text, is_answerable, fields)


def _read_judge(row: Mapping[str, Any], location: str) -> dict[str, str]:
    stated = {name: _cell(row, name, location) for name in ("judged_by", "judged_at")}
    return {name: value for name, value in stated.items() if value}


def _read_table_judgement(
    row: Mapping[str, Any], query: GoldenQuery, document: str, location: str
) -> Judgement:
    relevance = _cell(row, "relevance", location)
    if not relevance:
        raise GoldenSetError(
            f"{location}: states no relevance; write 0 for a document that is not relevant, and 1 "
            "or more for a relevant one"
        )
    return Judgement(
        query.id,
        document,
        _read_grade(relevance, location),
        source=_cell(row, "source", location) or None,
        passage=" ".join(_cell(row, "passage", location).split()) or None,
        **_read_judge(row, location),
    )


def _read_grade(text: str, location: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise GoldenSetError(
            f"{location}: the relevance {text!r} is not a whole number, such as 0, 1 or 2"
        ) from error


def _cell(row: Mapping[str, Any], name: str, location: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise GoldenSetError(f"{location}: {name} is not a text or a number")
    return check_storable(str(value).strip(), location)
