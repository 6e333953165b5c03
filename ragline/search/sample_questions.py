"""Questions to begin with: from a collection's golden set, else the titles of documents.

What people asked is never shown to others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ragline.search.document_records import list_records
from ragline.search.inspection import Principals
from ragline.storage.database import Database

SAMPLE_QUESTIONS = 4
LONGEST_QUESTION_CHARS = 120
# Enough lines to choose from, of a file that may be large.
READ_QUESTIONS = 40
LOOKED_AT_DOCUMENTS = 30


def read_sample_questions(
    database: Database, collection: str, golden: Path | None, principals: Principals
) -> list[str]:
    """A few questions for a collection, the same each time.

    Titles are those of documents that are served and that `principals` may see.
    """
    questions = [] if golden is None else _spread(_read_golden(golden / "queries.jsonl"))
    if questions:
        return questions
    records = list_records(
        database, collection, principals, state="ready", limit=LOOKED_AT_DOCUMENTS
    )
    return _spread([record.title for record in records if record.title and record.chunks])


def _read_golden(path: Path) -> list[str]:
    """The first queries of a golden set; none where its file cannot be read."""
    try:
        with path.open(encoding="utf-8") as lines:
            return list(_read_texts(islice(lines, READ_QUESTIONS)))
    except (OSError, ValueError):
        return []


def _read_texts(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.strip():
            row = json.loads(line)
            if isinstance(row, dict) and isinstance(row.get("text"), str):
                yield row["text"]


def _spread(texts: list[str]) -> list[str]:
    """A few short ones of them, from all parts of the list."""
    short = [one.strip() for one in dict.fromkeys(texts) if len(one) <= LONGEST_QUESTION_CHARS]
    short = [one for one in short if one]
    step = max(len(short) // SAMPLE_QUESTIONS, 1)
    return short[::step][:SAMPLE_QUESTIONS]
