"""Checks whether a collection has the documents that its golden set judges.

A search cannot find a judged document that the collection lacks. So each missing document lowers
the scores, however good the search is.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection

from ragline.errors import AmbiguousDocumentError, GoldenSetError, UnknownDocumentError
from ragline.golden_set import GoldenSet
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

MAX_NAMED_DOCUMENTS = 5
MAX_COMPARED_DOCUMENTS = 2_000


# Why a judged document is not in a collection: the source that the judgement names is not in the
# collection, the source removed the document, or no listing ever contained a document with this id.
GoneReason = Literal["unknown_source", "removed", "unknown_document"]


@dataclass(frozen=True, slots=True)
class GoneDocument:
    """A judged document that a collection does not have.

    `source` is None if the judgement names no source.
    """

    source: str | None
    document_id: str
    reason: GoneReason

    @property
    def label(self) -> str:
        """The document id, and the source if a judgement names it."""
        if self.source is None:
            return repr(self.document_id)
        unknown = ", which the collection does not have" if self.reason == "unknown_source" else ""
        return f"{self.document_id!r} of the source {self.source!r}{unknown}"


@dataclass(frozen=True, slots=True)
class GoneJudgement:
    """A judgement of a document that a collection does not have."""

    query_id: str
    source: str | None
    document_id: str
    grade: int
    reason: GoneReason


@dataclass(frozen=True, slots=True)
class UnknownDocuments:
    """The judged documents that a collection lacks, sorted by id, and their judgements.

    `judged` is the number of all judged documents. `nearest` maps some of the first
    MAX_NAMED_DOCUMENTS ids to the most similar document id of the collection.
    """

    documents: tuple[GoneDocument, ...]
    judged: int
    nearest: dict[str, str]
    judgements: tuple[GoneJudgement, ...] = ()

    @property
    def document_ids(self) -> list[str]:
        """The ids of the missing documents, each once."""
        return list(dict.fromkeys(gone.document_id for gone in self.documents))

    @property
    def is_all(self) -> bool:
        """Whether the collection has none of the judged documents."""
        return len(self.documents) == self.judged

    def describe(self, collection: str) -> str:
        """Describe the missing documents in one sentence, with the first ids and similar ids."""
        named = [
            f"{gone.label} (did you mean {self.nearest[gone.document_id]!r}?)"
            if gone.document_id in self.nearest
            else gone.label
            for gone in self.documents[:MAX_NAMED_DOCUMENTS]
        ]
        more = len(self.documents) - len(named)
        return (
            f"the collection {collection} lacks {len(self.documents):,} of the {self.judged:,} "
            f"documents that the golden set judges: {', '.join(named)}"
            f"{f' and {more:,} more' if more else ''}"
        )


def find_unknown_documents(
    database: Database, collection: str, golden: GoldenSet
) -> UnknownDocuments:
    """Find the judged documents that a collection lacks now, and the most similar ids."""
    pairs = {(one.document_id, one.source) for one in golden.records}
    judged = sorted(pairs, key=lambda pair: (pair[0], pair[1] or ""))
    with database.connect() as connection:
        rows = connection.execute(
            load_statement("quality/select_gone_documents"),
            {
                "collection": collection,
                "sources": [source for _, source in judged],
                "document_ids": [document_id for document_id, _ in judged],
            },
        )
        gone = [_make_gone(judged[row.number - 1], row.reason) for row in rows]
        named = [one.document_id for one in gone[:MAX_NAMED_DOCUMENTS]]
        nearest = _find_similar(connection, collection, named)
    return UnknownDocuments(tuple(gone), len(judged), nearest, _list_gone_judgements(golden, gone))


def locate_document(
    database: Database, collection: str, document_id: str, source: str | None
) -> str:
    """Return the name of the source that contains a document.

    Raises:
        UnknownDocumentError: the collection, or the source, has no document with this id now. The
            message names the most similar id.
        AmbiguousDocumentError: several sources have a document with this id, and `source` is None.
    """
    parameters = {"collection": collection, "document_id": document_id}
    with database.connect() as connection:
        rows = connection.execute(load_statement("quality/select_document_sources"), parameters)
        sources = [row.source for row in rows]
        nearest = {} if sources else _find_similar(connection, collection, [document_id])
    if not sources:
        hint = f"; did you mean {nearest[document_id]!r}?" if nearest else ""
        message = f"the collection {collection} has no document {document_id!r}{hint}"
        raise UnknownDocumentError(message)
    if source is None and len(sources) > 1:
        raise AmbiguousDocumentError(
            f"several sources have a document {document_id!r}: {', '.join(sources)}; name one with "
            "--source"
        )
    if source is not None and source not in sources:
        raise UnknownDocumentError(
            f"the source {source} of the collection {collection} has no document {document_id!r}; "
            f"sources that have it: {', '.join(sources)}"
        )
    return source or sources[0]


def _find_similar(
    connection: Connection, collection: str, document_ids: Sequence[str]
) -> dict[str, str]:
    """Return the most similar document id of a collection for each id that has a similar one."""
    if not document_ids:
        return {}
    rows = connection.execute(
        load_statement("quality/select_similar_documents"),
        {
            "collection": collection,
            "file_names": [name.rpartition("/")[2] for name in document_ids],
            "limit": MAX_COMPARED_DOCUMENTS,
        },
    )
    return _find_nearest(document_ids, [row.document_id for row in rows])


def _make_gone(pair: tuple[str, str | None], reason: GoneReason) -> GoneDocument:
    document_id, source = pair
    return GoneDocument(source, document_id, reason)


def _list_gone_judgements(
    golden: GoldenSet, gone: Sequence[GoneDocument]
) -> tuple[GoneJudgement, ...]:
    reasons = {(one.source, one.document_id): one.reason for one in gone}
    return tuple(
        GoneJudgement(
            one.query_id, one.source, one.document_id, one.grade,
            reasons[one.source, one.document_id],
        )
        for one in golden.records
        if (one.source, one.document_id) in reasons
    )  # fmt: skip


def check_golden_set(unknown: UnknownDocuments, collection: str) -> None:
    """Refuse to evaluate a collection that has none of the judged documents.

    Raises:
        GoldenSetError: the collection has none of the judged documents. The message names the first
            ones and the most similar ids.
    """
    if unknown.is_all:
        raise GoldenSetError(
            f"{unknown.describe(collection)}; every score would be 0. Name the golden set of this "
            "collection, or write its document ids as `ragline documents` shows them"
        )


def _find_nearest(unknown: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Return the most similar known id for each unknown id that has a similar one.

    If a document of another source has the unknown id, that id is correct and is left out.
    """
    nearest = {}
    for name in unknown:
        if name in known:
            continue
        file_name = name.rpartition("/")[2]
        same_file = [one for one in known if one.rpartition("/")[2] == file_name]
        close = same_file or difflib.get_close_matches(name, known, n=1) or _same_stem(name, known)
        if close:
            nearest[name] = close[0]
    return nearest


def _same_stem(name: str, known: Sequence[str]) -> list[str]:
    """Return the known ids with the same file name as `name`, without folder and suffix."""
    stem = Path(name).stem.casefold()
    return [one for one in known if stem and Path(one).stem.casefold() == stem]
