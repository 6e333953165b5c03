"""The queries and judgements of a golden set, and the hash that identifies its content."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

# Grades by query id and then by document id. A document with the grade 0 is not relevant.
Judgements = dict[str, dict[str, int]]
# The query id, the source and the document id of a judgement. A source of None means every source.
JudgementKey = tuple[str, str | None, str]
# The separator between document id and source in the name of a document. Only a name that needs the
# source contains it.
SOURCE_SEPARATOR = "\x1f"
ID_DIGITS = 12
# The service accepts queries of at most this length.
MAX_QUERY_CHARS = 8_000

FindingKind = Literal[
    "duplicate_query", "duplicate_judgement", "conflicting_judgement", "same_text", "negative_grade"
]


@dataclass(frozen=True, slots=True)
class GoldenQuery:
    """A query of a golden set.

    `is_answerable` is false for a query that no document answers. `fields` has the other fields of
    its line, such as `judged_by`. `line` is the line as it is in the file, or None for a query that
    is new or changed.
    """

    id: str
    text: str
    is_answerable: bool = True
    fields: Mapping[str, Any] = field(default_factory=dict)
    line: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The grade of a document for a query: 0 is not relevant, and a larger grade is better.

    `source` is the source of the document, or None if the id is enough. `passage` is a quotation
    from the document that answers the query, with single spaces. `judged_at` is a time in the
    format ISO 8601.
    """

    query_id: str
    document_id: str
    grade: int
    source: str | None = None
    passage: str | None = None
    judged_by: str | None = None
    judged_at: str | None = None

    @property
    def key(self) -> JudgementKey:
        return (self.query_id, self.source, self.document_id)


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of a golden set that does not stop an evaluation, but that a person should correct."""

    kind: FindingKind
    path: Path
    line: int
    message: str

    @property
    def text(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(slots=True)
class GoldenContent:
    """All queries by id and all judgements by key, in the order of the files.

    If a query or a judgement occurs twice, the last one counts, and `findings` names both.
    """

    queries: dict[str, GoldenQuery] = field(default_factory=dict)
    judgements: dict[JudgementKey, Judgement] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def content_hash(self) -> str:
        """The SHA-256 hash of the content, as hexadecimal digits.

        It covers everything that scores depend on: the texts of the queries, whether they have an
        answer, the grades and the passages. It depends neither on the order of the lines nor on
        line endings, and it does not cover the names and times of judgements.
        """
        lines = [
            ["query", query.id, query.text, query.is_answerable] for query in self.queries.values()
        ]
        judged = [
            ["judgement", one.query_id, one.source, one.document_id, one.grade, one.passage]
            for one in self.judgements.values()
        ]
        canonical = sorted(json.dumps(line) for line in [*lines, *judged])
        return hashlib.sha256("\n".join(canonical).encode()).hexdigest()

    def judgements_of(self, query_id: str) -> list[Judgement]:
        """Return the judgements of one query, in the order of the file."""
        return [one for one in self.judgements.values() if one.query_id == query_id]

    def find_text(self, text: str) -> GoldenQuery | None:
        """Return the first query with this text, or None. Case and white space do not matter."""
        wanted = normalise_query(text)
        same = (one for one in self.queries.values() if normalise_query(one.text) == wanted)
        return next(same, None)


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """The judged queries of a golden set by id, and their judgements.

    The object can contain only one split. `content_hash` always identifies the content of the whole
    golden set. `unanswerable` contains the queries without an answer by id; they are not in
    `queries`. `records` contains all judgements with their sources and passages, also those of the
    queries without an answer. `sources` contains the sources that judgements name, by query id and
    document id.
    """

    queries: dict[str, str]
    judgements: Judgements
    content_hash: str
    unanswerable: dict[str, str] = field(default_factory=dict)
    records: tuple[Judgement, ...] = ()
    sources: dict[str, dict[str, frozenset[str | None]]] = field(default_factory=dict)

    def name_document(self, query_id: str, source: str | None, document_id: str) -> str:
        """Return the name of a document in `judgements`.

        The name is the document id. It also contains `source` if the judgements of this query name
        several sources for this id, or another source than `source`.
        """
        return _name(self.sources.get(query_id, {}), source, document_id)


def make_golden_set(content: GoldenContent, kept: Iterable[str] | None = None) -> GoldenSet:
    """Return a golden set with the judged queries of `content`.

    If `kept` is given, only the queries with these ids are used.
    """
    ids = content.queries.keys() if kept is None else set(kept)
    records = tuple(one for one in content.judgements.values() if one.query_id in ids)
    sources = _collect_sources(records)
    judgements: Judgements = {}
    for one in records:
        if not content.queries[one.query_id].is_answerable:
            continue
        name = _name(sources.get(one.query_id, {}), one.source, one.document_id)
        judgements.setdefault(one.query_id, {})[name] = one.grade
    return GoldenSet(
        queries={key: content.queries[key].text for key in judgements},
        judgements=judgements,
        content_hash=content.content_hash,
        unanswerable={
            key: query.text
            for key, query in content.queries.items()
            if key in ids and not query.is_answerable
        },
        records=records,
        sources=sources,
    )


def make_query_id(text: str) -> str:
    """Return an id for a query that has no id of its own: a hash of its normalised text."""
    digest = hashlib.sha256(normalise_query(text).encode()).hexdigest()
    return f"q-{digest[:ID_DIGITS]}"


def normalise_query(text: str) -> str:
    """Return the text in lower case and with single spaces."""
    return " ".join(text.casefold().split())


def find_repeated_texts(queries: Iterable[GoldenQuery]) -> list[list[str]]:
    """Return groups of ids of queries with the same text. Case and white space do not matter."""
    texts = {query.id: normalise_query(query.text) for query in queries}
    counts = Counter(texts.values())
    repeated: dict[str, list[str]] = {}
    for key, text in texts.items():
        if counts[text] > 1:
            repeated.setdefault(text, []).append(key)
    return list(repeated.values())


def _collect_sources(
    records: Iterable[Judgement],
) -> dict[str, dict[str, frozenset[str | None]]]:
    sources: dict[str, dict[str, frozenset[str | None]]] = {}
    for one in records:
        if one.source is not None:
            known = sources.setdefault(one.query_id, {})
            known[one.document_id] = known.get(one.document_id, frozenset()) | {one.source}
    return sources


def _name(
    sources: Mapping[str, frozenset[str | None]], source: str | None, document_id: str
) -> str:
    stated = sources.get(document_id)
    if stated is None or stated == {source}:
        return document_id
    return f"{document_id}{SOURCE_SEPARATOR}{source}"
