"""The state of a golden set: its counts, its card, and what a person should correct in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ragline.evaluation.judged_documents import UnknownDocuments, find_unknown_documents
from ragline.golden_set.card import GoldenCard, read_card
from ragline.golden_set.content import (
    Finding,
    GoldenContent,
    GoldenSet,
    Judgement,
    make_golden_set,
)
from ragline.golden_set.proposal_answers import read_rejections
from ragline.golden_set.reading import queries_path, read_content
from ragline.golden_set.splits import SPLITS, Split, choose_split
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """The counts of one split. `queries` counts the judged queries that have an answer."""

    queries: int
    unanswerable: int
    judgements: int


@dataclass(frozen=True, slots=True)
class GoldenStatus:
    """The state of the golden set of a collection.

    `queries` counts all queries: those with judgements, those without an answer, and `unjudged`.
    `without_relevant` has the judged queries whose scores are always 0, because no document has a
    grade above 0. `findings` has repeated queries and judgements, and negative grades. `unknown` is
    None if the collection has no documents yet, because then nothing can be compared. `rejected`
    counts the rejected proposals.
    """

    collection: str
    folder: Path
    content_hash: str
    card: GoldenCard | None
    queries: int
    unanswerable: int
    judgements: int
    splits: dict[Split, SplitCounts]
    unjudged: tuple[str, ...]
    without_relevant: tuple[str, ...]
    findings: tuple[Finding, ...]
    unknown: UnknownDocuments | None
    missing_passages: tuple[Judgement, ...]
    rejected: int


def read_golden_status(
    database: Database, collection: str, folder: Path, split: str
) -> GoldenStatus | None:
    """Return the state of a golden set, with `qrels/<split>.tsv`; None if it does not exist.

    Raises:
        GoldenSetError: a file is malformed. The message names the file and the line.
    """
    if not queries_path(folder).is_file():
        return None
    content = read_content(folder, split)
    golden = make_golden_set(content)
    has_documents = has_any_document(database, collection)
    unknown = find_unknown_documents(database, collection, golden) if has_documents else None
    return GoldenStatus(
        collection=collection,
        folder=folder,
        content_hash=content.content_hash,
        card=read_card(folder),
        queries=len(content.queries),
        unanswerable=len(golden.unanswerable),
        judgements=len(content.judgements),
        splits=count_splits(content),
        unjudged=_list_unjudged(content),
        without_relevant=_list_without_relevant(golden),
        findings=tuple(content.findings),
        unknown=unknown,
        missing_passages=find_missing_passages(database, collection, golden.records),
        rejected=len(read_rejections(folder)),
    )


def _list_unjudged(content: GoldenContent) -> tuple[str, ...]:
    """Return the ids of the queries that have an answer and no judgement."""
    judged = {one.query_id for one in content.judgements.values()}
    queries = content.queries.values()
    return tuple(one.id for one in queries if one.is_answerable and one.id not in judged)


def _list_without_relevant(golden: GoldenSet) -> tuple[str, ...]:
    """Return the ids of the judged queries without a relevant document."""
    judged = golden.judgements.items()
    return tuple(key for key, grades in judged if not any(grade > 0 for grade in grades.values()))


def count_splits(content: GoldenContent) -> dict[Split, SplitCounts]:
    """Return the counts of each split."""
    judged = Counter(
        one.query_id
        for one in content.judgements.values()
        if content.queries[one.query_id].is_answerable
    )
    members: dict[Split, list[str]] = {name: [] for name in SPLITS}
    for key in content.queries:
        members[choose_split(key)].append(key)
    return {
        name: SplitCounts(
            queries=sum(key in judged for key in keys),
            unanswerable=sum(not content.queries[key].is_answerable for key in keys),
            judgements=sum(judged[key] for key in keys),
        )
        for name, keys in members.items()
    }


def find_missing_passages(
    database: Database, collection: str, records: tuple[Judgement, ...]
) -> tuple[Judgement, ...]:
    """Return the judgements whose passage is not in the present text of their document.

    Several spaces, tabs and line ends in a row count as one space. A document that has no text is
    left out.
    """
    quoted = [one for one in records if one.passage is not None]
    if not quoted:
        return ()
    parameters = {
        "collection": collection,
        "sources": [one.source for one in quoted],
        "document_ids": [one.document_id for one in quoted],
        "passages": [one.passage for one in quoted],
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("quality/select_missing_passages"), parameters)
        return tuple(quoted[row.number - 1] for row in rows)


def has_any_document(database: Database, collection: str) -> bool:
    """Return whether a collection has any document. It has no document before its first sync."""
    parameters = {"collection": collection, "file_names": [], "limit": 1}
    statement = load_statement("quality/select_similar_documents")
    with database.connect() as connection:
        return connection.execute(statement, parameters).first() is not None
