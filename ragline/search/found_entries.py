"""The transaction of a search: it finds the entries of a request with few round trips.

The first round trip checks the generation and runs the legs. While the server runs the keyword leg,
the queries are embedded. The second round trip reads the rows of the best candidates. A filter, the
feedback pass and a vector index that finds too few entries need further round trips.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from time import perf_counter

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ragline.errors import DatabaseUnavailableError
from ragline.search.candidates import retrieve_candidates, send_legs, start_retrieval
from ragline.search.entries import Entry, select_last_entries
from ragline.search.known_generations import AskedGeneration, KnownGenerations
from ragline.search.legs import check_settings, send_settings
from ragline.search.live_generation import LiveGeneration
from ragline.search.messages import Plan
from ragline.search.query_vectors import QueryVectors
from ragline.search.retrieval import Retrieval
from ragline.search.token_scores import TokenScores
from ragline.storage.database import Database
from ragline.storage.pipelines import open_snapshot, pipelined
from ragline.telemetry import span

# The SQLSTATE of a statement that names a table that does not exist.
UNDEFINED_TABLE = "42P01"

# Returns the vectors of the queries.
Embed = Callable[[], QueryVectors]


@dataclass(frozen=True, slots=True)
class FoundEntries:
    """The entries of a search in the order of the answer, before reranking.

    `generation` has the number of entries that the search saw. `tokens` scores the entries by late
    interaction, if the search uses it.
    """

    entries: list[Entry]
    plan: Plan
    generation: LiveGeneration
    embed_ms: float
    tokens: TokenScores | None


def find_entries(
    database: Database,
    retrieval: Retrieval,
    asked: AskedGeneration,
    known: KnownGenerations,
    *,
    embed: Embed,
    read_again: Callable[[], LiveGeneration],
) -> FoundEntries | None:
    """Find the entries of a retrieval whose vectors are not known yet.

    Returns None if the generation of the retrieval is outdated. The search must then start again.
    If a connection of the pool is broken, the search is repeated on a tested one.
    """
    try:
        with open_snapshot(database, is_trusted=True) as connection:
            return _find_in(connection, database, retrieval, asked, known, embed)
    except DatabaseUnavailableError:
        if retrieval.deadline.has_passed:
            raise
    except DBAPIError as error:
        # A table of the generation can have been dropped after the generation was read last.
        if not _lacks_table(error) or read_again() == retrieval.generation:
            raise
        return None
    with open_snapshot(database) as connection:
        return _find_in(connection, database, retrieval, asked, known, embed)


def _find_in(
    connection: Connection,
    database: Database,
    retrieval: Retrieval,
    asked: AskedGeneration,
    known: KnownGenerations,
    embed: Embed,
) -> FoundEntries | None:
    """Find the entries in the transaction of a connection, which was not begun."""
    with retrieval.deadline.watch(connection), ExitStack() as stack:
        pipeline = stack.enter_context(pipelined(connection))
        pipeline.begin(database)
        settings = send_settings(pipeline, retrieval)
        facts = asked.send(pipeline)
        started = start_retrieval(pipeline, retrieval)
        embedding_at = perf_counter()
        embedded = embed()
        retrieval = replace(retrieval, vectors=embedded.vectors, tokens=embedded.tokens)
        embed_ms = 1e3 * (perf_counter() - embedding_at)
        with span("retrieve"):
            sent = send_legs(pipeline, retrieval, started)
            stack.close()
            check_settings(retrieval, settings.one())
            generation = known.confirm(asked, retrieval.generation, facts.first())
            if generation is None:
                return None
            retrieval = replace(retrieval, generation=generation)
            candidates, plan = retrieve_candidates(connection, retrieval, started, sent)
            entries = select_last_entries(connection, retrieval, candidates)
            return FoundEntries(entries, plan, generation, embed_ms, retrieval.tokens)


def _lacks_table(error: DBAPIError) -> bool:
    """Whether a statement failed because a table does not exist."""
    return getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE
