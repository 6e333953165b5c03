"""Sample questions of a collection, from its golden set or from the titles of its documents.

Titles are used if there is no golden set. Recorded searches of other callers are never shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ragline.search.document_records import list_records
from ragline.search.inspection import Principals
from ragline.storage.database import Database

MAX_QUESTIONS = 4
MAX_QUESTION_CHARS = 120
# Only the first lines of the file are read, because it can be large.
MAX_READ_LINES = 40
MAX_READ_DOCUMENTS = 30


def read_sample_questions(
    database: Database, collection: str, golden: Path | None, principals: Principals
) -> list[str]:
    """Return at most four questions for a collection, the same ones at each call.

    `golden` is the folder of its golden set. Without one, the titles of indexed documents that
    `principals` may see are used.
    """
    questions = [] if golden is None else _spread(_read_golden(golden / "queries.jsonl"))
    if questions:
        return questions
    records = list_records(
        database, collection, principals, state="ready", limit=MAX_READ_DOCUMENTS
    )
    return _spread([record.title for record in records if record.title and record.chunks])


def _read_golden(path: Path) -> list[str]:
    """Read the first queries of a golden set. Return an empty list if its file cannot be read."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            return list(_read_texts(islice(lines, MAX_READ_LINES)))
    except (OSError, ValueError):
        return []


def _read_texts(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.strip():
            row = json.loads(line)
            is_question = isinstance(row, dict) and isinstance(row.get("text"), str)
            if is_question and row.get("answerable") is not False:
                yield row["text"]


def _spread(texts: list[str]) -> list[str]:
    """Select a few short texts that are spread evenly over the list."""
    short = [one.strip() for one in dict.fromkeys(texts) if len(one) <= MAX_QUESTION_CHARS]
    short = [one for one in short if one]
    step = max(len(short) // MAX_QUESTIONS, 1)
    return short[::step][:MAX_QUESTIONS]
