"""Reads golden sets: queries with judgements, in the file layout of the BEIR benchmark.

Each line of `queries.jsonl` is a query. Each line of `qrels/<split>.tsv` is a judgement.
`ragline.evaluation` measures a collection on a golden set.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ragline.errors import GoldenSetError

# Grades by query id and then by document id. A document with the grade 0 is not relevant.
Judgements = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """The queries of a golden set by id, and their judgements.

    `content_hash` is the SHA-256 hash of both files, as hexadecimal digits.
    """

    queries: dict[str, str]
    judgements: Judgements
    content_hash: str


def read_golden_set(folder: Path, split: str = "test") -> GoldenSet:
    """Read the golden set in a folder, without the queries that have no judgement.

    `split` selects the file of judgements.

    Raises:
        GoldenSetError: a file or a judged query is missing, a line is malformed, or there is no
            judgement. The message names the file.
    """
    queries_path, judgements_path = folder / "queries.jsonl", folder / "qrels" / f"{split}.tsv"
    for path in (queries_path, judgements_path):
        if not path.is_file():
            raise GoldenSetError(f"{path}: there is no such file; a golden set needs it")
    judgements = _read_judgements(judgements_path)
    texts = dict(_read_queries(queries_path))
    missing = sorted(judgements.keys() - texts.keys())
    if missing:
        raise GoldenSetError(f"{queries_path}: has no query {missing[0]!r}, which is judged")
    digest = hashlib.sha256(queries_path.read_bytes() + judgements_path.read_bytes())
    return GoldenSet({key: texts[key] for key in judgements}, judgements, digest.hexdigest())


def _read_judgements(path: Path) -> Judgements:
    judgements: Judgements = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file, delimiter="\t"), start=1):
            if number == 1 and row[:1] == ["query-id"]:
                continue
            try:
                query, document, grade = row
                judgements.setdefault(query, {})[document] = int(grade)
            except ValueError as error:
                raise GoldenSetError(
                    f"{path}:{number}: is not `query-id TAB corpus-id TAB score`"
                ) from error
    if not judgements:
        raise GoldenSetError(f"{path}: the file contains no judgement")
    return judgements


def _read_queries(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                yield str(row["_id"]), str(row["text"])
            except (ValueError, KeyError, TypeError) as error:
                raise GoldenSetError(
                    f"{path}:{number}: is not a JSON object with `_id` and `text`"
                ) from error
