"""A source whose settings name another collection than the one that stores its documents.

A synced source cannot move to another collection, and the new name is often a typing error. So the
run fails with a ConfigurationError. Before the error, the run syncs the source into the collection
that stores it. So the live index still receives changes and removals while the configuration file
is wrong.
"""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from dataclasses import dataclass

from ragline.configuration import CollectionSettings, Configuration
from ragline.errors import ConfigurationError
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.entries import serve_live
from ragline.lifecycle.run_context import Refusal, RunContext
from ragline.lifecycle.source_stage import open_stage
from ragline.lifecycle.source_syncs import record_run_error
from ragline.sources.settings import SourceSettings
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class StoredCollection:
    """The collection that stores a source's documents, and the tenant that owns it."""

    name: str
    tenant: str


def refuse_moved_source(run_context: RunContext, source_name: str) -> None:
    """Refuse a source that is stored in another collection than the one in its settings.

    Before the error, such a source is synced into the collection that stores it. For any other
    source, nothing happens. A second call is safe.

    Raises:
        ConfigurationError: the source is stored in another collection. The error names it.
        SourceUnavailableError: the source is stored in another collection and cannot be listed.
    """
    settings = run_context.configuration.source(source_name)
    stored = _find_stored_collection(run_context.database, source_name)
    if stored is None or stored.name == settings.collection:
        return
    error = _describe(run_context.configuration, settings, stored)
    # The sync is refused if the stored collection has no live generation. Then there is nothing to
    # update.
    with suppress(ConfigurationError):
        _sync_stored(run_context, settings, stored, error)
    message = f"{type(error).__name__}: {error}"
    record_run_error(run_context.database, run_context.run_id, [source_name], message, None)
    raise error


def _find_stored_collection(database: Database, source_name: str) -> StoredCollection | None:
    statement = load_statement("lifecycle/select_stored_collection")
    with database.connect() as connection:
        row = connection.execute(statement, {"source": source_name}).first()
    return None if row is None else StoredCollection(row.name, row.tenant)


def _describe(
    configuration: Configuration, settings: SourceSettings, stored: StoredCollection
) -> ConfigurationError:
    return ConfigurationError(
        f"source {settings.name} is stored in collection {stored.name} and cannot move to "
        f"{settings.collection}; write `collection: {stored.name}`, give the new source another "
        f"name, or remove what is stored with `ragline remove {settings.name}`",
        path=configuration.path,
        line=configuration.line_of("sources", settings.name, "collection"),
    )


def _sync_stored(
    run_context: RunContext,
    settings: SourceSettings,
    stored: StoredCollection,
    error: ConfigurationError,
) -> None:
    """Make the live generation of the stored collection match what the source lists now.

    If the configuration no longer contains that collection, only its live generation is updated,
    and it keeps its tenant.
    """
    configuration = run_context.configuration
    source = settings.model_copy(update={"collection": stored.name})
    collections = configuration.collections
    refusals = dict(run_context.refusals)
    if stored.name not in {one.name for one in collections}:
        collections += (CollectionSettings(name=stored.name, tenant=stored.tenant),)
        refusals[stored.name] = Refusal(error, is_lasting=False)
    sources = tuple(source if one is settings else one for one in configuration.sources)
    changes = {"sources": sources, "collections": collections}
    run_context.parsers  # noqa: B018  created here, so that the run closes it
    stored_context = copy(run_context)
    stored_context.configuration = configuration.model_copy(update=changes)
    stored_context.refusals = refusals
    sync_documents(stored_context, settings.name)
    build_chunks(stored_context, settings.name)
    stage = open_stage(stored_context, settings.name)
    if stage.generations.live is not None:
        serve_live(stage, stage.generations.live)
