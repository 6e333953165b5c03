"""The first stage of a sync: it lists a source, and reads and stores new and changed documents.

`listing` records a listing in the ledger, and `document_worker` reads documents. The parsers are in
`ragline.parsing`, the kinds of source in `ragline.sources`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

from sqlalchemy import Connection, RowMapping

from ragline.access.tenants import assign_tenant
from ragline.errors import ConfigurationError, SourceUnavailableError
from ragline.lifecycle import ledger
from ragline.lifecycle.document_worker import ReadCounts, read_claimed_documents
from ragline.lifecycle.ledger import Failure
from ragline.lifecycle.listing import ListingCounts, apply_listing, read_listing
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.settings_refusal import check_settings
from ragline.lifecycle.source_syncs import record_counts, record_error, record_run_error
from ragline.sources.attributes import attributes_fingerprint, resolve_attributes
from ragline.sources.protocol import Source
from ragline.sources.settings import SourceSettings
from ragline.storage.statements import load_statement

MAX_UPDATED_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class DocumentsReport:
    """The result of the stage `read` for one source. All counts except `bytes_read` are documents.

    `listed` = `added` + `changed` + `unchanged`. `failed`, `quarantined` and `unsupported` count
    the documents that are in these states after the stage. `failures` lists these documents, at
    most 1,000. `held` counts the documents whose removal waits for a person to confirm it.
    """

    listed: int
    added: int
    changed: int
    unchanged: int
    removed: int
    held: int
    failed: int
    quarantined: int
    unsupported: int
    bytes_read: int
    seconds: float
    failures: list[Failure] = field(default_factory=list)


def sync_documents(run_context: RunContext, source_name: str) -> DocumentsReport:
    """Make the ledger and the parses of one source match what the source lists now.

    If it is called again, it reads only the documents that the previous call did not finish. If a
    document cannot be read, its error is recorded, and the other documents are read.

    Raises:
        ConfigurationError: the collection's settings cannot be satisfied, and it has no live
            generation; or the source was synced into another collection.
        SourceUnavailableError: the source could not be listed to its end, so nothing was removed;
            or it stopped answering while documents were read.
        SyncInProgressError: another run is syncing this source.
    """
    started = perf_counter()
    settings = run_context.configuration.source(source_name)
    run_context.lineage.start_source(source_name)
    try:
        check_settings(run_context, settings.collection)
        source_id = _register_source(run_context, settings)
    except ConfigurationError as error:
        # If the source is registered, the error is written to its report. If it is not, nothing is
        # written.
        message = f"{type(error).__name__}: {error}"
        record_run_error(run_context.database, run_context.run_id, [source_name], message, None)
        run_context.lineage.fail_source(source_name, error)
        raise
    try:
        run_context.lock_source(source_name)
        source = run_context.open_source(source_name)
        listing = _list_source(run_context, source_id, source, settings)
        read = read_claimed_documents(run_context, settings, source_id, source)
    except Exception as error:
        record_error(run_context, source_id, error)
        run_context.lineage.fail_source(source_name, error)
        raise
    report = _report(run_context, source_id, listing, read, perf_counter() - started)
    record_counts(run_context, source_id, report, report.seconds)
    return report


def read_documents(run_context: RunContext, source_name: str) -> ReadCounts:
    """Read the documents of a source that must be read, together with the other workers.

    This function does not list the source.
    """
    settings = run_context.configuration.source(source_name)
    source_id = _register_source(run_context, settings)
    return read_claimed_documents(run_context, settings, source_id)


def _register_source(run_context: RunContext, settings: SourceSettings) -> int:
    """Register the source and its collection; return the source's id."""
    collection = run_context.configuration.collection(settings.collection)
    with run_context.database.begin() as connection:
        source_id = ledger.register_source(connection, settings).id
        assign_tenant(connection, collection.name, collection.tenant)
    return source_id


def _list_source(
    run_context: RunContext, source_id: int, source: Source, settings: SourceSettings
) -> ListingCounts:
    try:
        with run_context.database.connect() as connection:
            listing = read_listing(connection, source)
        with run_context.database.begin() as connection:
            counts = apply_listing(
                connection, source_id, source, listing, settings.max_removal_ratio
            )
            _update_source_attributes(connection, source_id, settings)
            limit = {"source_id": source_id, "max_document_bytes": settings.max_document_bytes}
            connection.execute(load_statement("lifecycle/update_size_limit"), limit)
    except SourceUnavailableError as error:
        ledger.record_unreachable(run_context.database, settings, str(error))
        raise
    return counts


def _update_source_attributes(
    connection: Connection, source_id: int, settings: SourceSettings
) -> None:
    """Apply changed settings `metadata` and `principals` to the documents, without reading them."""
    wanted = attributes_fingerprint(settings)
    parameters = {"source_id": source_id}
    row = connection.execute(load_statement("lifecycle/lock_source"), parameters).one()
    if row.attributes_fingerprint == wanted:
        return
    rows = connection.execute(load_statement("lifecycle/select_attributes"), parameters)
    known = rows.mappings().all()
    for start in range(0, len(known), MAX_UPDATED_ROWS):
        _update_attributes(connection, settings, known[start : start + MAX_UPDATED_ROWS])
    connection.execute(
        load_statement("lifecycle/record_attributes"), {**parameters, "fingerprint": wanted}
    )


def _update_attributes(
    connection: Connection, settings: SourceSettings, rows: Sequence[RowMapping]
) -> None:
    described = [
        resolve_attributes(settings, row["document_id"], row["own_metadata"], row["own_principals"])
        for row in rows
    ]
    changed = [
        (row["id"], attributes)
        for row, attributes in zip(rows, described, strict=True)
        if attributes.hash != row["attributes_hash"]
    ]
    if not changed:
        return
    connection.execute(
        load_statement("lifecycle/update_attributes"),
        {
            "ids": [key for key, _ in changed],
            "metadata": [json.dumps(attributes.metadata) for _, attributes in changed],
            "principals": [
                None if attributes.principals is None else json.dumps(attributes.principals)
                for _, attributes in changed
            ],
            "attributes_hashes": [attributes.hash for _, attributes in changed],
        },
    )


def _report(
    run_context: RunContext,
    source_id: int,
    listing: ListingCounts,
    read: ReadCounts,
    seconds: float,
) -> DocumentsReport:
    with run_context.database.connect() as connection:
        states = ledger.count_states(connection, source_id)
        failures = ledger.list_failures(connection, source_id)
    return DocumentsReport(
        listed=listing.listed,
        added=listing.added,
        changed=read.changed,
        unchanged=max(listing.listed - listing.added - read.changed, 0),
        removed=listing.removed,
        held=listing.held,
        failed=states["failed"],
        quarantined=states["quarantined"],
        unsupported=states["unsupported"],
        bytes_read=read.bytes_read,
        seconds=seconds,
        failures=failures,
    )
