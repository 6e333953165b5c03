"""Checks whether each collection has the documents that its configured golden set judges."""

from __future__ import annotations

from pathlib import Path

from ragline.configuration import Configuration
from ragline.configuration.checks import Fault
from ragline.errors import GoldenSetError
from ragline.evaluation.golden_status import has_any_document
from ragline.evaluation.judged_documents import UnknownDocuments, find_unknown_documents
from ragline.golden_set import read_golden_set
from ragline.storage.database import Database


def find_golden_faults(configuration: Configuration, database: Database) -> list[Fault]:
    """Find one configuration error for each collection that lacks judged documents.

    The severity is `warning` if the collection has some of the judged documents, otherwise `error`.
    A collection without documents is skipped, because it was not synced yet. A golden set that
    cannot be read is also skipped.
    """
    faults = []
    for settings in configuration.collections:
        if settings.golden is None or not has_any_document(database, settings.name):
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
        f"{unknown.describe(collection)}; `ragline golden status {collection}` lists the "
        "judgements",
        severity="error" if unknown.is_all else "warning",
        collection=collection,
        path=Path(configuration.path),
        line=configuration.line_of("collections", collection, "golden"),
    )
