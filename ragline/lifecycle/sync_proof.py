"""The sync proof: source, ledger and index hold the same documents, by id and by hash.

Differences are named and put back to work at once; the next run mends them. What must hold
between ledger and index alone is `invariants`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from sqlalchemy import Connection, RowMapping

from ragline.errors import SourceUnavailableError
from ragline.fingerprints import hash_bytes
from ragline.lifecycle.generations import list_generations, open_generations
from ragline.lifecycle.invariants import Verdict, check_invariants
from ragline.lifecycle.ledger import register_source
from ragline.lifecycle.listing import load_listed
from ragline.lifecycle.workshop import Workshop
from ragline.sources.protocol import FetchedDocument, ListedDocument, Source
from ragline.sources.registry import KINDS
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

# Up to here every document is read and hashed; a larger source is sampled.
FULL_DOCUMENTS = 1_000
FULL_BYTES = 16 * 1024 * 1024
SAMPLED_DOCUMENTS = 300
SAMPLED_BYTES = 64 * 1024 * 1024
CONFIDENCE = 0.95
KEPT_DIFFERENCES = 1_000
OTHER_BYTES = "other bytes in the source"


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that source, ledger and index do not agree on, and how they differ."""

    document_id: str
    what: str


@dataclass(frozen=True, slots=True)
class SyncProof:
    """What a proof looked at and what it found.

    `is_listed` says whether the source itself was asked. `hashed_documents` were read and
    compared by SHA-256; where those are not all, at most `largest_unseen_ratio` of the documents
    differ in their bytes with a confidence of 95 %, given that the sample showed none.
    """

    source: str
    run_id: str
    is_listed: bool
    documents: int
    hashed_documents: int
    entries: int
    largest_unseen_ratio: float
    differences: list[Difference]
    source_error: str | None
    verdicts: list[Verdict]
    seconds: float

    @property
    def holds(self) -> bool:
        return not self.differences and self.source_error is None


def prove_source(
    workshop: Workshop, source_name: str, *, turn: int = 0, in_full: bool = True
) -> SyncProof:
    """Compare a source, its ledger and its entries; put what differs back to work; keep the proof.

    `in_full` asks the source in any case and looks at every entry. Without it, a source whose
    listing is dear is not asked, and a large index is looked at in part, by `turn`.

    A source that cannot be listed to its end leaves the proof open: its error stands in it.
    """
    started = perf_counter()
    settings = workshop.configuration.source(source_name)
    with workshop.database.begin() as connection:
        source_id = register_source(connection, settings).id
    comparison = _Comparison(workshop, source_name, source_id)
    if in_full or KINDS[settings.kind].is_listed_cheaply:
        comparison.try_source(workshop.open_source(source_name))
    verdicts = check_invariants(workshop, source_name, turn=turn, in_full=in_full)
    comparison.add_verdicts(verdicts)
    comparison.add_unmended()
    comparison.reopen()
    documents, entries = _count(workshop, settings.collection, source_id)
    proof = SyncProof(
        source=source_name,
        run_id=workshop.run_id,
        is_listed=comparison.is_listed,
        documents=documents,
        hashed_documents=comparison.hashed,
        entries=entries,
        largest_unseen_ratio=comparison.largest_unseen_ratio,
        differences=comparison.differences,
        source_error=comparison.source_error,
        verdicts=verdicts,
        seconds=perf_counter() - started,
    )
    _keep(workshop, source_id, proof)
    return proof


class _Comparison:
    """The differences of one source as they are found, and the keys that they are mended by."""

    def __init__(self, workshop: Workshop, source_name: str, source_id: int) -> None:
        self._workshop = workshop
        self._source_name = source_name
        self._source_id = source_id
        self._misplaced: set[int] = set()
        self._unread: set[int] = set()
        self.differences: list[Difference] = []
        self.hashed = 0
        self.largest_unseen_ratio = 1.0
        self.is_listed = False
        self.source_error: str | None = None

    def try_source(self, source: Source) -> None:
        """Hold the source to the ledger; one that cannot be listed now is noted."""
        try:
            self.compare_source(source)
        except SourceUnavailableError as error:
            self.source_error = str(error)
        else:
            self.is_listed = True

    def compare_source(self, source: Source) -> None:
        """Hold the source's listing, and the bytes of all or some documents, to the ledger."""
        listed = list(source.list_documents())
        parameters = {"source_id": self._source_id}
        with self._workshop.database.begin() as connection:
            load_listed(connection, listed)
            rows = connection.execute(load_statement("checks/compare_listing"), parameters)
            self.differences += [Difference(row.document_id, row.what) for row in rows]
            known = connection.execute(load_statement("checks/select_hashes"), parameters)
            hashes = known.mappings().all()
        self._compare_bytes(source, listed, hashes)

    def add_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Take over what breaks an invariant."""
        for verdict in verdicts:
            words = verdict.invariant.name.replace("_", " ")
            for broken in verdict.broken:
                self.differences.append(Difference(broken.document_id, words))
                self._misplaced.add(broken.document_key)

    def add_unmended(self) -> None:
        """Take over what the last proof found and no sync has mended since."""
        named = {difference.document_id for difference in self.differences}
        with self._workshop.database.connect() as connection:
            rows = connection.execute(
                load_statement("checks/select_unmended"), {"source_id": self._source_id}
            )
            self.differences += [
                Difference(**row) for row in rows.mappings() if row["document_id"] not in named
            ]

    def reopen(self) -> None:
        """Put back to work what differs. Entries that stand for nothing at all go at once."""
        with self._workshop.database.begin() as connection:
            self._reopen(connection, self._misplaced - self._unread, is_reread=False)
            self._reopen(connection, self._unread, is_reread=True)
            self._delete_orphans(connection)
            if self.differences:
                # No probe shows them: whoever watches the source shall start a sync all the same.
                connection.execute(
                    load_statement("checks/forget_listed_probe"), {"source_id": self._source_id}
                )

    def _reopen(self, connection: Connection, keys: set[int], *, is_reread: bool) -> None:
        if keys:
            connection.execute(
                load_statement("checks/reopen_documents"),
                {"document_keys": sorted(keys), "is_reread": is_reread},
            )

    def _delete_orphans(self, connection: Connection) -> None:
        if not self._misplaced:
            return
        collection = self._workshop.configuration.source(self._source_name).collection
        for generation in list_generations(connection, collection):
            statement = load_generation_statement("checks/delete_orphans", generation.id)
            connection.execute(statement, {"document_keys": sorted(self._misplaced)})

    def _compare_bytes(
        self, source: Source, listed: Sequence[ListedDocument], hashes: Sequence[RowMapping]
    ) -> None:
        sizes = {document.document_id: document.size_bytes or 0 for document in listed}
        chosen = _choose_documents(hashes, sizes)
        for fetched in source.fetch_documents(list(chosen)):
            if not isinstance(fetched, FetchedDocument):
                continue
            self.hashed += 1
            known = chosen[fetched.document_id]
            if hash_bytes(fetched.content).hex() != known["content_hash"]:
                self.differences.append(Difference(fetched.document_id, OTHER_BYTES))
                self._unread.add(known["document_key"])
        self.largest_unseen_ratio = bound_unseen(self.hashed, len(hashes))


def _choose_documents(hashes: Sequence[RowMapping], sizes: dict[str, int]) -> dict[str, RowMapping]:
    """All documents of a small source, else as many at random as the sample's bounds allow."""
    total = sum(sizes.get(row["document_id"], 0) for row in hashes)
    if len(hashes) <= FULL_DOCUMENTS and total <= FULL_BYTES:
        return {row["document_id"]: row for row in hashes}
    chosen: dict[str, RowMapping] = {}
    room = SAMPLED_BYTES
    for row in random.sample(hashes, min(SAMPLED_DOCUMENTS, len(hashes))):
        room -= sizes.get(row["document_id"], 0)
        if room < 0 and chosen:
            break
        chosen[row["document_id"]] = row
    return chosen


def bound_unseen(sampled: int, total: int) -> float:
    """The largest share of documents that may differ although the sample showed none.

    0 when all were looked at, 1 when none was; else the share p at which (1 - p)^n = 1 - 0.95.
    """
    if sampled >= total:
        return 0.0
    if sampled == 0:
        return 1.0
    return 1.0 - float((1.0 - CONFIDENCE) ** (1.0 / sampled))


def _count(workshop: Workshop, collection: str, source_id: int) -> tuple[int, int]:
    target = open_generations(workshop, collection)[-1]
    with workshop.database.connect() as connection:
        row = connection.execute(
            load_statement("checks/count_source_entries"),
            {"source_id": source_id, "generation_id": target.id},
        ).one()
    return row.documents, row.entries


def _keep(workshop: Workshop, source_id: int, proof: SyncProof) -> None:
    differences = [
        [difference.document_id, difference.what]
        for difference in proof.differences[:KEPT_DIFFERENCES]
    ]
    parameters = {
        "source_id": source_id,
        "run_id": proof.run_id,
        "is_listed": proof.is_listed,
        "documents": proof.documents,
        "hashed_documents": proof.hashed_documents,
        "entries": proof.entries,
        "largest_unseen_ratio": proof.largest_unseen_ratio,
        "difference_count": len(proof.differences),
        "differences": json.dumps(differences),
        "source_error": proof.source_error,
        "seconds": proof.seconds,
    }
    with workshop.database.begin() as connection:
        connection.execute(load_statement("checks/insert_proof"), parameters)
