"""The sync proof: source, ledger and index hold the same documents, by id and by hash.

A difference is a fault when nothing explains it; faults are named, fail the check and raise an
alarm. What the source may have changed since it was listed, and what a sync that runs beside the
proof has under way, is named and is no fault, unless it is still there after another sync. All of
it is put back to work at once; the next run repairs it. What must hold between ledger and index
alone is `invariants`.
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
from ragline.lifecycle.invariants import Verdict, check_invariants
from ragline.lifecycle.ledger import register_source
from ragline.lifecycle.listing import load_listed
from ragline.lifecycle.run_context import RunContext
from ragline.sources.protocol import FetchedDocument, ListedDocument, ProbesListing, Source
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
    """A document that source, ledger and index do not agree on, and how they differ.

    Without `is_fault` the source has changed since it was listed, or a sync is at work on it.
    `versions` says what was compared: a fault is the same difference after another sync.
    """

    document_id: str
    what: str
    is_fault: bool = True
    versions: str = ""


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
    def faults(self) -> list[Difference]:
        """The differences that no change of the source and no sync explains."""
        return [difference for difference in self.differences if difference.is_fault]

    @property
    def holds(self) -> bool:
        return not self.faults and self.source_error is None


def prove_source(
    run_context: RunContext, source_name: str, *, turn: int = 0, in_full: bool = True
) -> SyncProof:
    """Compare a source, its ledger and its entries; put what differs back to work; keep the proof.

    `in_full` asks the source in any case and looks at every entry. Without it, a source whose
    listing is dear is not asked, and a large index is looked at in part, by `turn`.

    A source that cannot be listed to its end leaves the proof open: `source_error` says why. The
    proof waits for no sync and keeps none waiting.
    """
    started = perf_counter()
    settings = run_context.configuration.source(source_name)
    with run_context.database.begin() as connection:
        source_id = register_source(connection, settings).id
    comparison = _Comparison(run_context, source_name, source_id)
    if in_full or KINDS[settings.kind].is_listed_cheaply:
        comparison.try_source(run_context.open_source(source_name))
    verdicts = check_invariants(run_context, source_name, turn=turn, in_full=in_full)
    comparison.add_verdicts(verdicts)
    comparison.add_unrepaired()
    comparison.conclude()
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
        verdicts=verdicts,
        seconds=perf_counter() - started,
    )
    _keep(run_context, source_id, proof)
    return proof


class _Comparison:
    """The differences of one source as they are found, and the keys that they are repaired by."""

    def __init__(self, run_context: RunContext, source_name: str, source_id: int) -> None:
        self._run_context = run_context
        self._source_name = source_name
        self._parameters = {"source_id": source_id}
        # A run that has just synced the source proves it before it gives the source back.
        self._is_own = run_context.holds_source(source_name)
        self._kind = KINDS[run_context.configuration.source(source_name).kind]
        self._misplaced: set[int] = set()
        self._unread: dict[str, int] = {}
        self._is_source_unchanged = False
        with run_context.database.connect() as connection:
            self._activity = self._read_activity(connection)
        # Kept apart: entries are ours alone, a listing changes with the source.
        self._of_index: list[Difference] = []
        self._of_source: list[Difference] = []
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
        differing, hashes = self._compare_listing(source, listed)
        self._of_source = [*differing, *self._compare_bytes(source, listed, hashes)]
        if self._of_source and self._kind.is_listed_cheaply:
            self._look_again(source)

    def _look_again(self, source: Source) -> None:
        """Leave out what was seen while the source was changing; see whether it has changed."""
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
        """What listing and ledger do not agree on, and the hashes of what they agree on."""
        with self._run_context.database.begin() as connection:
            load_listed(connection, listed, source, self._parameters["source_id"])
            rows = connection.execute(load_statement("checks/compare_listing"), self._parameters)
            found = [Difference(**row, is_fault=False) for row in rows.mappings()]
            known = connection.execute(load_statement("checks/select_hashes"), self._parameters)
            hashes = known.mappings().all()
        return found, hashes

    def add_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Take over what breaks an invariant."""
        for verdict in verdicts:
            words = verdict.invariant.name.replace("_", " ")
            for broken in verdict.broken:
                self._of_index.append(Difference(broken.document_id, words))
                self._misplaced.add(broken.document_key)

    def add_unrepaired(self) -> None:
        """Take over the faults of the last proof that no sync has repaired since."""
        named = {found.document_id for found in (*self._of_index, *self._of_source)}
        with self._run_context.database.connect() as connection:
            rows = connection.execute(load_statement("checks/select_unmended"), self._parameters)
            self._of_index += [
                Difference(**row) for row in rows.mappings() if row["document_id"] not in named
            ]

    def conclude(self) -> None:
        """Tell faults from what is under way, and put back to work what differs.

        Beside a sync nothing is touched: it proves its own work when it ends. Entries that belong
        to no document go at once.
        """
        with self._run_context.database.begin() as connection:
            is_settled = self._is_settled(connection)
            before = self._read_findings(connection)
            of_source = [
                replace(found, is_fault=is_settled and self._is_unexplained(found, before))
                for found in self._of_source
            ]
            of_index = [replace(found, is_fault=is_settled) for found in self._of_index]
            self.differences = [*of_source, *of_index]
            if is_settled and self.differences:
                self._repair(connection)

    def _is_settled(self, connection: Connection) -> bool:
        """Whether the last sync did all its stages, and none was at work beside this proof."""
        if self._is_own:
            return True
        is_free = connection.execute(
            load_statement("checks/try_source_lock"), {"source": self._source_name}
        ).scalar_one()
        return bool(
            is_free
            and not self._activity.is_unfinished
            and self._read_activity(connection) == self._activity
        )

    def _is_unexplained(self, found: Difference, before: dict[tuple[str, str], bool]) -> bool:
        """Whether the source was the same when it was listed, or a sync since changed nothing."""
        is_kept = found.what == OTHER_BYTES and self._kind.is_listed_cheaply
        return (
            self._is_source_unchanged
            or is_kept
            or before.get((found.document_id, found.versions), False)
        )

    def _read_findings(self, connection: Connection) -> dict[tuple[str, str], bool]:
        """The last proof's differences, and whether one of them that is still there is a fault."""
        row = connection.execute(
            load_statement("checks/select_last_findings"), self._parameters
        ).first()
        if row is None:
            return {}
        return {
            (document_id, versions): is_fault or row.is_synced_since
            for document_id, versions, is_fault in row.findings
        }

    def _read_activity(self, connection: Connection) -> Row[tuple[object, ...]]:
        return connection.execute(
            load_statement("checks/select_sync_activity"), self._parameters
        ).one()

    def _repair(self, connection: Connection) -> None:
        changed = {found.document_id for found in self._of_source if found.what == OTHER_BYTES}
        unread = {key for name, key in self._unread.items() if name in changed}
        self._reopen(connection, self._misplaced - unread, is_reread=False)
        self._reopen(connection, unread, is_reread=True)
        self._delete_orphans(connection)
        # No probe shows them: whoever watches the source shall start a sync all the same.
        connection.execute(load_statement("checks/forget_listed_probe"), self._parameters)

    def _reopen(self, connection: Connection, keys: set[int], *, is_reread: bool) -> None:
        if keys:
            connection.execute(
                load_statement("checks/reopen_documents"),
                {"document_keys": sorted(keys), "is_reread": is_reread},
            )

    def _delete_orphans(self, connection: Connection) -> None:
        if not self._misplaced:
            return
        collection = self._run_context.configuration.source(self._source_name).collection
        for generation in list_generations(connection, collection):
            statement = load_generation_statement("checks/delete_orphans", generation.id)
            connection.execute(statement, {"document_keys": sorted(self._misplaced)})

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
        self.largest_unseen_ratio = bound_unseen(self.hashed, len(hashes))
        return differing


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


def _count(run_context: RunContext, collection: str, source_id: int) -> tuple[int, int]:
    """Documents of the source, and its entries in what searches see, else in the newest."""
    with run_context.database.connect() as connection:
        generations = list_generations(connection, collection)
        generations.sort(key=lambda generation: generation.state == "live")
        row = connection.execute(
            load_statement("checks/count_source_entries"),
            {"source_id": source_id, "generation_id": generations[-1].id if generations else 0},
        ).one()
    return row.documents, row.entries


def _keep(run_context: RunContext, source_id: int, proof: SyncProof) -> None:
    differences = [
        [difference.document_id, difference.what] for difference in proof.faults[:KEPT_DIFFERENCES]
    ]
    findings = [
        [difference.document_id, difference.versions, difference.is_fault]
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
        "difference_count": len(proof.faults),
        "differences": json.dumps(differences),
        "findings": json.dumps(findings),
        "source_error": proof.source_error,
        "seconds": proof.seconds,
    }
    with run_context.database.begin() as connection:
        connection.execute(load_statement("checks/insert_proof"), parameters)
