"""Whether a collection has the documents that its golden set judges.

A judgement of a document that the collection lacks can never be met: the scores are then of the
golden set and not of the search.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ragline.configuration import Configuration
from ragline.configuration.checks import Fault
from ragline.errors import GoldenSetError
from ragline.golden_set import GoldenSet, read_golden_set
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

NAMED_DOCUMENTS = 5
COMPARED_DOCUMENTS = 2_000


@dataclass(frozen=True, slots=True)
class UnknownDocuments:
    """Judged documents that a collection lacks, in order, of how many; near ones by id."""

    document_ids: list[str]
    judged: int
    nearest: dict[str, str]

    @property
    def is_all(self) -> bool:
        """Whether the collection has none of the judged documents."""
        return len(self.document_ids) == self.judged

    def describe(self, collection: str) -> str:
        """What is missing, in one sentence, with the first few names and what was near."""
        named = [
            f"{name!r} (did you mean {self.nearest[name]!r}?)"
            if name in self.nearest
            else repr(name)
            for name in self.document_ids[:NAMED_DOCUMENTS]
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
    """The judged documents that a collection does not have now, and the ids nearest to them."""
    judged = sorted({document for of_query in golden.judgements.values() for document in of_query})
    with database.connect() as connection:
        rows = connection.execute(
            load_statement("checks/select_unknown_documents"),
            {"collection": collection, "document_ids": judged},
        )
        unknown = [row.document_id for row in rows]
        named = unknown[:NAMED_DOCUMENTS]
        similar = connection.execute(
            load_statement("checks/select_similar_documents"),
            {
                "collection": collection,
                "file_names": [name.rpartition("/")[2] for name in named],
                "limit": COMPARED_DOCUMENTS if named else 0,
            },
        )
        known = [row.document_id for row in similar]
    return UnknownDocuments(unknown, len(judged), _find_nearest(named, known))


def refuse_foreign_golden_set(unknown: UnknownDocuments, collection: str) -> None:
    """Refuse to score a collection on documents of which it has none.

    Raises:
        GoldenSetError: names the first of them and the ids that are near.
    """
    if unknown.is_all:
        raise GoldenSetError(
            f"{unknown.describe(collection)}; every score would be 0. Name the golden set of this "
            "collection, or write its document ids as `ragline documents` shows them"
        )


def find_golden_faults(configuration: Configuration, database: Database) -> list[Fault]:
    """A fault for each collection that lacks judged documents: a warning while it has some.

    A collection without documents was not synced yet; nothing can be said of it.
    """
    faults = []
    for settings in configuration.collections:
        if settings.golden is None or not _has_documents(database, settings.name):
            continue
        try:
            golden = read_golden_set(settings.golden)
        except (GoldenSetError, OSError, UnicodeDecodeError):
            continue
        unknown = find_unknown_documents(database, settings.name, golden)
        if unknown.document_ids:
            faults.append(_describe_fault(configuration, settings.name, unknown))
    return faults


def _describe_fault(
    configuration: Configuration, collection: str, unknown: UnknownDocuments
) -> Fault:
    return Fault(
        "golden",
        unknown.describe(collection),
        severity="error" if unknown.is_all else "warning",
        collection=collection,
        path=Path(configuration.path),
        line=configuration.line_of("collections", collection, "golden"),
    )


def _has_documents(database: Database, collection: str) -> bool:
    parameters = {"collection": collection, "file_names": [], "limit": 1}
    statement = load_statement("checks/select_similar_documents")
    with database.connect() as connection:
        return connection.execute(statement, parameters).first() is not None


def _find_nearest(unknown: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """For each unknown id the known one that is nearest, where one is near."""
    nearest = {}
    for name in unknown:
        file_name = name.rpartition("/")[2]
        same_file = [one for one in known if one.rpartition("/")[2] == file_name]
        close = same_file or difflib.get_close_matches(name, known, n=1) or _same_stem(name, known)
        if close:
            nearest[name] = close[0]
    return nearest


def _same_stem(name: str, known: Sequence[str]) -> list[str]:
    """Ids that differ in folder and ending alone: `pep-0008` is meant by `peps/pep-0008.txt`."""
    stem = Path(name).stem.casefold()
    return [one for one in known if stem and Path(one).stem.casefold() == stem]
