"""The sync proof: it compares source, ledger and index by document id and content hash.

A difference can have two explanations: the source changed since its last listing, or another sync
is running. A difference without an explanation is a fault. A difference that still exists after
another sync is also a fault. A fault fails the check and raises an alarm. The next run repairs
every difference that was found. The rules between ledger and index are in `invariants`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from sqlalchemy import Connection, Row, RowMapping

from ragline.errors import SourceUnavailableError
from ragline.fingerprints import hash_bytes
from ragline.lifecycle.generations import list_generations
from ragline.lifecycle.invariants import InvariantResult, check_invariants
from ragline.lifecycle.ledger import register_source
from ragline.lifecycle.listing import load_listed
from ragline.lifecycle.run_context import RunContext
from ragline.sources.protocol import FetchedDocument, ListedDocument, ProbesListing, Source
from ragline.sources.registry import KINDS
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

# Every document of a source up to this size is read and hashed. For a larger source, a sample of
# the documents is read and hashed.
MAX_HASHED_DOCUMENTS = 1_000
MAX_HASHED_BYTES = 16 * 1024 * 1024
MAX_SAMPLED_DOCUMENTS = 300
MAX_SAMPLED_BYTES = 64 * 1024 * 1024
CONFIDENCE = 0.95
MAX_STORED_DIFFERENCES = 1_000
OTHER_BYTES = "other bytes in the source"


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that differs between source, ledger and index, and how it differs.

    If `is_fault` is false, the source has changed since it was listed, or a sync is working on it.
    `versions` are the compared values. A difference that has the same values after another sync is
    a fault.
    """

    document_id: str
    what: str
    is_fault: bool = True
    versions: str = ""


@dataclass(frozen=True, slots=True)
class SyncProof:
    """What a proof compared and what it found.

    `is_listed` says whether the source itself was listed. `hashed_documents` counts the documents
    that were read and compared by SHA-256. If they show no difference, `largest_unseen_ratio` is
    the largest share of documents that can have different bytes, with a confidence of 95 %.
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
    invariant_results: list[InvariantResult]
    seconds: float

    @property
    def faults(self) -> list[Difference]:
        """The differences that neither a change of the source nor a sync explains."""
        return [difference for difference in self.differences if difference.is_fault]

    @property
    def holds(self) -> bool:
        return not self.faults and self.source_error is None


def prove_source(
    run_context: RunContext, source_name: str, *, part_number: int = 0, in_full: bool = True
) -> SyncProof:
    """Compare a source, its ledger and its entries; start repairs; store the proof.

    If `in_full` is set, the source is always listed, and every entry is checked. Otherwise a source
    that is expensive to list is not listed, and only the part `part_number` of a large index is
    checked.

    If the source cannot be listed to its end, the proof fails, and `source_error` gives the reason.
    A proof and a sync do not wait for each other.
    """
    started = perf_counter()
    settings = run_context.configuration.source(source_name)
    with run_context.database.begin() as connection:
        source_id = register_source(connection, settings).id
    comparison = _Comparison(run_context, source_name, source_id)
    if in_full or KINDS[settings.kind].is_listed_cheaply:
        comparison.try_source(run_context.open_source(source_name))
    results = check_invariants(run_context, source_name, part_number=part_number, in_full=in_full)
    comparison.conclude(results)
    documents, entries = _count(run_context, settings.collection, source_id)
    proof = SyncProof(
        source=source_name,
        run_id=run_context.run_id,
        is_listed=comparison.is_listed,
        documents=documents,
        hashed_documents=comparison.hashed,
        entries=entries,
        largest_unseen_ratio=comparison.largest_unseen_ratio,
        differences=comparison.differences,
        source_error=comparison.source_error,
        invariant_results=results,
        seconds=perf_counter() - started,
    )
    _store_proof(run_context, source_id, proof)
    return proof


class _Comparison:
    """The differences of one source, and the keys of the documents to repair."""

    def __init__(self, run_context: RunContext, source_name: str, source_id: int) -> None:
        self._run_context = run_context
        self._source_name = source_name
        self._parameters = {"source_id": source_id}
        # A sync makes its own proof before it releases the lock of the source.
        self._has_locked = run_context.has_locked(source_name)
        self._kind = KINDS[run_context.configuration.source(source_name).kind]
        self._outdated: set[int] = set()
        self._unread: dict[str, int] = {}
        self._is_source_unchanged = False
        with run_context.database.connect() as connection:
            self._activity = self._read_activity(connection)
        # The lists are separate because only Ragline changes the index, and the source can change
        # at any time.
        self._of_index: list[Difference] = []
        self._of_source: list[Difference] = []
        self.differences: list[Difference] = []
        self.hashed = 0
        self.largest_unseen_ratio = 1.0
        self.is_listed = False
        self.source_error: str | None = None

    def try_source(self, source: Source) -> None:
        """Compare the source with the ledger. If it cannot be listed now, record the error."""
        try:
            self.compare_source(source)
        except SourceUnavailableError as error:
            self.source_error = str(error)
        else:
            self.is_listed = True

    def compare_source(self, source: Source) -> None:
        """Compare the listing, and the bytes of all or some documents, with the ledger."""
        listed = list(source.list_documents())
        differing, hashes = self._compare_listing(source, listed)
        self._of_source = [*differing, *self._compare_bytes(source, listed, hashes)]
        if self._of_source and self._kind.is_listed_cheaply:
            self._compare_again(source)

    def _compare_again(self, source: Source) -> None:
        """List again, drop the differences that no longer exist, and check the source's probe."""
        differing, hashes = self._compare_listing(source, list(source.list_documents()))
        same_version = {row["document_id"] for row in hashes}
        self._of_source = [
            found
            for found in self._of_source
            if (
                found.document_id in same_version
                if found.what == OTHER_BYTES
                else found in differing
            )
        ]
        probe = source.probe_listing() if isinstance(source, ProbesListing) else source.probe()
        self._is_source_unchanged = (
            self._kind.is_probe_complete and probe == self._activity.listed_probe
        )

    def _compare_listing(
        self, source: Source, listed: Sequence[ListedDocument]
    ) -> tuple[list[Difference], Sequence[RowMapping]]:
        """Compare a listing with the ledger.

        Returns the differences, and the content hashes of the ready documents that do not differ.
        """
        with self._run_context.database.begin() as connection:
            load_listed(connection, listed, source, self._parameters["source_id"])
            rows = connection.execute(
                load_statement("sync_proof/compare_listing"), self._parameters
            )
            found = [Difference(**row, is_fault=False) for row in rows.mappings()]
            known = connection.execute(load_statement("sync_proof/select_hashes"), self._parameters)
            hashes = known.mappings().all()
        return found, hashes

    def _add_invariant_results(self, results: Sequence[InvariantResult]) -> None:
        """Add the documents that violate an invariant."""
        for result in results:
            words = result.invariant.name.replace("_", " ")
            for violation in result.violations:
                self._of_index.append(Difference(violation.document_id, words))
                self._outdated.add(violation.document_key)

    def _add_unrepaired(self) -> None:
        """Add the faults of the last proof that no sync has repaired since then."""
        named = {found.document_id for found in (*self._of_index, *self._of_source)}
        with self._run_context.database.connect() as connection:
            rows = connection.execute(
                load_statement("sync_proof/select_unrepaired_faults"), self._parameters
            )
            self._of_index += [
                Difference(**row) for row in rows.mappings() if row["document_id"] not in named
            ]

    def conclude(self, results: Sequence[InvariantResult]) -> None:
        """Add the differences of the index, decide which are faults, and start the repair.

        While a sync runs, nothing is repaired, because the sync makes its own proof at its end.
        Entries of documents that do not exist are deleted at once.
        """
        self._add_invariant_results(results)
        self._add_unrepaired()
        with self._run_context.database.begin() as connection:
            is_sync_complete = self._is_sync_complete(connection)
            before = self._read_findings(connection)
            of_source = [
                replace(found, is_fault=is_sync_complete and self._is_unexplained(found, before))
                for found in self._of_source
            ]
            of_index = [replace(found, is_fault=is_sync_complete) for found in self._of_index]
            self.differences = [*of_source, *of_index]
            if is_sync_complete and self.differences:
                self._repair(connection)

    def _is_sync_complete(self, connection: Connection) -> bool:
        """Return whether the last sync is complete and no sync ran during this proof."""
        if self._has_locked:
            return True
        is_free = connection.execute(
            load_statement("sync_proof/try_source_lock"), {"source": self._source_name}
        ).scalar_one()
        return bool(
            is_free
            and not self._activity.is_unfinished
            and self._read_activity(connection) == self._activity
        )

    def _is_unexplained(self, found: Difference, before: dict[tuple[str, str], bool]) -> bool:
        """Return whether no change of the source and no unfinished sync explains a difference."""
        has_same_version = found.what == OTHER_BYTES and self._kind.is_listed_cheaply
        return (
            self._is_source_unchanged
            or has_same_version
            or before.get((found.document_id, found.versions), False)
        )

    def _read_findings(self, connection: Connection) -> dict[tuple[str, str], bool]:
        """Return the differences of the last proof, by document id and versions.

        The value says whether the difference is a fault if it still exists.
        """
        row = connection.execute(
            load_statement("sync_proof/select_last_findings"), self._parameters
        ).first()
        if row is None:
            return {}
        return {
            (document_id, versions): is_fault or row.is_synced_since
            for document_id, versions, is_fault in row.findings
        }

    def _read_activity(self, connection: Connection) -> Row[tuple[object, ...]]:
        return connection.execute(
            load_statement("sync_proof/select_sync_activity"), self._parameters
        ).one()

    def _repair(self, connection: Connection) -> None:
        changed = {found.document_id for found in self._of_source if found.what == OTHER_BYTES}
        unread = {key for name, key in self._unread.items() if name in changed}
        self._reopen(connection, self._outdated - unread, is_reread=False)
        self._reopen(connection, unread, is_reread=True)
        self._delete_orphans(connection)
        # The source's probe has not changed, so the sensor starts a sync only if the stored probe
        # is cleared.
        connection.execute(load_statement("sync_proof/clear_listed_probe"), self._parameters)

    def _reopen(self, connection: Connection, keys: set[int], *, is_reread: bool) -> None:
        if keys:
            connection.execute(
                load_statement("sync_proof/reopen_documents"),
                {"document_keys": sorted(keys), "is_reread": is_reread},
            )

    def _delete_orphans(self, connection: Connection) -> None:
        if not self._outdated:
            return
        collection = self._run_context.configuration.source(self._source_name).collection
        for generation in list_generations(connection, collection):
            statement = load_generation_statement("sync_proof/delete_orphans", generation.id)
            connection.execute(statement, {"document_keys": sorted(self._outdated)})

    def _compare_bytes(
        self, source: Source, listed: Sequence[ListedDocument], hashes: Sequence[RowMapping]
    ) -> list[Difference]:
        sizes = {document.document_id: document.size_bytes or 0 for document in listed}
        chosen = _choose_documents(hashes, sizes)
        differing = []
        for fetched in source.fetch_documents(list(chosen)):
            if not isinstance(fetched, FetchedDocument):
                continue
            self.hashed += 1
            known = chosen[fetched.document_id]
            found = hash_bytes(fetched.content).hex()
            if found != known["content_hash"]:
                versions = json.dumps([known["version"], found])
                differing.append(Difference(fetched.document_id, OTHER_BYTES, versions=versions))
                self._unread[fetched.document_id] = known["document_key"]
        self.largest_unseen_ratio = bound_unseen_ratio(self.hashed, len(hashes))
        return differing


def _choose_documents(hashes: Sequence[RowMapping], sizes: dict[str, int]) -> dict[str, RowMapping]:
    """Return all documents of a small source, or a random sample of a larger one, by id."""
    total = sum(sizes.get(row["document_id"], 0) for row in hashes)
    if len(hashes) <= MAX_HASHED_DOCUMENTS and total <= MAX_HASHED_BYTES:
        return {row["document_id"]: row for row in hashes}
    chosen: dict[str, RowMapping] = {}
    bytes_left = MAX_SAMPLED_BYTES
    for row in random.sample(hashes, min(MAX_SAMPLED_DOCUMENTS, len(hashes))):
        bytes_left -= sizes.get(row["document_id"], 0)
        if bytes_left < 0 and chosen:
            break
        chosen[row["document_id"]] = row
    return chosen


def bound_unseen_ratio(sampled: int, total: int) -> float:
    """Return the largest share of documents that can differ although the sample has no difference.

    The result is 0 if all documents were sampled, and 1 if none was. Otherwise it is the p for
    which (1 - p)^n = 1 - 0.95, where n is `sampled`. Source: the binomial bound for zero observed
    events, at a confidence of 95 %.
    """
    if sampled >= total:
        return 0.0
    if sampled == 0:
        return 1.0
    return 1.0 - float((1.0 - CONFIDENCE) ** (1.0 / sampled))


def _count(run_context: RunContext, collection: str, source_id: int) -> tuple[int, int]:
    """Count the source's documents, and its entries in one generation.

    This is the live generation, or the newest generation if none is live.
    """
    with run_context.database.connect() as connection:
        generations = list_generations(connection, collection)
        generations.sort(key=lambda generation: generation.state == "live")
        row = connection.execute(
            load_statement("sync_proof/count_source_entries"),
            {"source_id": source_id, "generation_id": generations[-1].id if generations else 0},
        ).one()
    return row.documents, row.entries


def _store_proof(run_context: RunContext, source_id: int, proof: SyncProof) -> None:
    differences = [
        [difference.document_id, difference.what]
        for difference in proof.faults[:MAX_STORED_DIFFERENCES]
    ]
    findings = [
        [difference.document_id, difference.versions, difference.is_fault]
        for difference in proof.differences[:MAX_STORED_DIFFERENCES]
    ]
    parameters = {
        "source_id": source_id,
        "run_id": proof.run_id,
        "is_listed": proof.is_listed,
        "documents": proof.documents,
        "hashed_documents": proof.hashed_documents,
        "entries": proof.entries,
        "largest_unseen_ratio": proof.largest_unseen_ratio,
        "difference_count": len(proof.faults),
        "differences": json.dumps(differences),
        "findings": json.dumps(findings),
        "source_error": proof.source_error,
        "seconds": proof.seconds,
    }
    with run_context.database.begin() as connection:
        connection.execute(load_statement("sync_proof/insert_proof"), parameters)
