"""Checks whether a collection's settings can be satisfied, before a run writes anything.

If they cannot be satisfied and the collection has a live generation, searches still use this
generation, because it has its own settings. If the collection has no live generation, its settings
are refused. The checks of single settings are in `configuration.checks`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ragline.configuration import Configuration
from ragline.configuration.checks import (
    POSTGRES_LANGUAGES,
    Fault,
    ModelShape,
    find_collection_faults,
)
from ragline.errors import ConfigurationError, DatabaseUnavailableError
from ragline.lifecycle.run_context import Refusal, RunContext
from ragline.storage.statements import load_statement

if TYPE_CHECKING:
    from ragline.storage.database import Database


def find_refusal(run_context: RunContext, collection_name: str) -> Refusal | None:
    """Return why the settings of a collection are refused, or None if all can be satisfied.

    The result is stored for the run. While the configuration file itself is invalid, the settings
    of every collection are unknown. Then no generation is built and none is abandoned.
    """
    if run_context.configuration_fault is not None:
        return Refusal(run_context.configuration_fault, is_lasting=False)
    if collection_name not in run_context.refusals:
        faults = [f for f in _find_faults(run_context, collection_name) if f.severity == "error"]
        run_context.refusals[collection_name] = _make_refusal(faults) if faults else None
    return run_context.refusals[collection_name]


def check_settings(run_context: RunContext, collection_name: str) -> None:
    """Refuse settings that cannot be satisfied, unless the collection has a live generation.

    Raises:
        ConfigurationError: the settings cannot be satisfied. The message names each error with its
            line. Nothing was written.
    """
    refusal = find_refusal(run_context, collection_name)
    if refusal is not None and not _is_served(run_context.database, collection_name):
        raise refusal.error


def check_unserved_collections(
    configuration: Configuration, collections: Iterable[str], database: Database | None
) -> None:
    """Refuse settings that a run cannot satisfy, for the collections without a live generation.

    The function checks only files and names, and loads no model. If `database` is None, all
    collections count as collections without a live generation.

    Raises:
        ConfigurationError: some settings cannot be satisfied. The message names each error with its
            line. Nothing was written.
    """
    faults = []
    for name in collections:
        if database is not None and _is_served(database, name):
            continue
        languages = POSTGRES_LANGUAGES if database is None else list_languages(database)
        settings = configuration.collection(name)
        faults += find_collection_faults(configuration, settings, languages)
    errors = [fault for fault in faults if fault.severity == "error"]
    if errors:
        raise _make_refusal(errors).error


def list_languages(database: Database) -> list[str]:
    """Return the languages of the keyword leg, in order.

    They are the text search configurations of the database.
    """
    with database.connect() as connection:
        rows = connection.execute(load_statement("lifecycle/select_languages"))
        return [row.language for row in rows]


def _find_faults(run_context: RunContext, collection_name: str) -> list[Fault]:
    configuration = run_context.configuration
    settings = configuration.collection(collection_name)
    languages = list_languages(run_context.database)
    try:
        shape = _load_shape(run_context, settings.embedding_model)
    except DatabaseUnavailableError:
        raise
    except Exception as error:  # noqa: BLE001  libraries raise any error for a model's files
        fault = Fault(
            "embedding_model",
            f"{type(error).__name__}: {error}",
            collection=settings.name,
            path=configuration.path,
            line=configuration.line_of("collections", settings.name, "embedding_model"),
        )
        fitted = find_collection_faults(configuration, settings, languages, ModelShape(None, None))
        return [fault, *fitted]
    return find_collection_faults(configuration, settings, languages, shape)


def _load_shape(run_context: RunContext, model: str) -> ModelShape:
    tokenizer = run_context.tokenizer(model)
    return ModelShape(tokenizer.max_tokens, run_context.embedder(model).space.dimension)


def _make_refusal(faults: list[Fault]) -> Refusal:
    first, *others = faults
    more = "".join(f"\n{fault.text}" for fault in others)
    error = first.as_error()
    combined = ConfigurationError(f"{error}{more}")
    combined.path, combined.line = error.path, error.line
    return Refusal(combined, any(fault.is_lasting for fault in faults))


def _is_served(database: Database, collection_name: str) -> bool:
    statement = load_statement("lifecycle/has_live_generation")
    with database.connect() as connection:
        return bool(connection.execute(statement, {"collection": collection_name}).scalar_one())
