"""Checks whether a collection has the documents that its golden set judges.

A search cannot find a judged document that the collection lacks. So each missing document lowers
the scores, however good the search is.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ragline.errors import GoldenSetError
from ragline.golden_set import GoldenSet
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

MAX_NAMED_DOCUMENTS = 5
MAX_COMPARED_DOCUMENTS = 2_000


@dataclass(frozen=True, slots=True)
class UnknownDocuments:
    """The judged documents that a collection lacks, sorted by id.

    `judged` is the number of all judged documents. `nearest` maps some of the first
    MAX_NAMED_DOCUMENTS ids to the most similar document id of the collection.
    """

    document_ids: list[str]
    judged: int
    nearest: dict[str, str]

    @property
    def is_all(self) -> bool:
        """Whether the collection has none of the judged documents."""
        return len(self.document_ids) == self.judged

    def describe(self, collection: str) -> str:
        """Describe the missing documents in one sentence, with the first ids and similar ids."""
        named = [
            f"{name!r} (did you mean {self.nearest[name]!r}?)"
            if name in self.nearest
            else repr(name)
            for name in self.document_ids[:MAX_NAMED_DOCUMENTS]
        ]
        more = len(self.document_ids) - len(named)
        return (
            f"the collection {collection} lacks {len(self.document_ids):,} of the {self.judged:,} "
            f"documents that the golden set judges: {', '.join(named)}"
            f"{f' and {more:,} more' if more else ''}"
        )


def find_unknown_documents(
    database: Database, collection: str, golden: GoldenSet
) -> UnknownDocuments:
    """Find the judged documents that a collection lacks now, and the most similar ids."""
    judged = sorted({document for of_query in golden.judgements.values() for document in of_query})
    with database.connect() as connection:
        rows = connection.execute(
            load_statement("quality/select_unknown_documents"),
            {"collection": collection, "document_ids": judged},
        )
        unknown = [row.document_id for row in rows]
        named = unknown[:MAX_NAMED_DOCUMENTS]
        similar = connection.execute(
            load_statement("quality/select_similar_documents"),
            {
                "collection": collection,
                "file_names": [name.rpartition("/")[2] for name in named],
                "limit": MAX_COMPARED_DOCUMENTS if named else 0,
            },
        )
        known = [row.document_id for row in similar]
    return UnknownDocuments(unknown, len(judged), _find_nearest(named, known))


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
    """Find the most similar known id for each unknown id, if there is one."""
    nearest = {}
    for name in unknown:
        file_name = name.rpartition("/")[2]
        same_file = [one for one in known if one.rpartition("/")[2] == file_name]
        close = same_file or difflib.get_close_matches(name, known, n=1) or _same_stem(name, known)
        if close:
            nearest[name] = close[0]
    return nearest


def _same_stem(name: str, known: Sequence[str]) -> list[str]:
    """The known ids with the same file name, without folder and suffix, as `name`."""
    stem = Path(name).stem.casefold()
    return [one for one in known if stem and Path(one).stem.casefold() == stem]
