"""The legs of a search: the statements that find entries by words and by vectors.

`candidates` decides which legs are run and with which condition. `fusion` combines what they found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pgvector import HalfVector
from sqlalchemy import Connection, TextClause, text

from ragline.errors import SessionSettingError
from ragline.search.fusion import EMPTY_LEG, Leg, Legs
from ragline.search.retrieval import (
    NO_CONDITION,
    FilterPlan,
    Retrieval,
    Vector,
    list_principals,
)
from ragline.storage.generation_tables import (
    entries_table,
    load_generation_statement,
    term_weights_table,
)
from ragline.storage.pipelines import Answer, Pipeline, Row, pipelined
from ragline.storage.statements import load_statement
from ragline.text_analysis import analyze_text, list_whole_forms

# The largest value that pgvector accepts for `hnsw.ef_search`.
MAX_EF_SEARCH = 1_000
# The value of `hnsw.max_scan_tuples`, which limits an iterative index scan of pgvector.
MAX_SCAN_TUPLES = 200_000
# The weight of an added form of a query word; the word itself has weight 1.
# Source: benchmarks/README.md, "Forms of words".
FORM_WEIGHT = 0.2
NO_KEYWORD_BOUND = 2**62
# The texts that the SQL files contain in the positions of a filter and of an order. The vector
# index cannot provide the order by a sum, so that Postgres scans all entries.
FILTER_MARK = "true /* filter */"
SCAN_MARK = "/* scan */"
SCAN_ORDER = "+ 0"


@dataclass(frozen=True, slots=True)
class FeedbackTerms:
    """Terms that a feedback pass adds to the query, with document frequencies and weights.

    The words of the query then have the weight `query_share`.
    """

    lexemes: tuple[str, ...] = ()
    frequencies: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    query_share: float = 1.0


NO_TERMS = FeedbackTerms()


@dataclass(frozen=True, slots=True)
class SentLegs:
    """Both legs of one query in a pipeline. A leg that was not sent is None."""

    keyword: Answer | None
    vector: Answer | None

    def read(self) -> Legs:
        """Read the legs, after the block of the pipeline."""
        return Legs(_read_leg(self.keyword), _read_leg(self.vector))


def send_settings(pipeline: Pipeline, retrieval: Retrieval) -> Answer:
    """Set the time limit and the settings of vector search for this transaction."""
    retrieval.deadline.send_limit(pipeline)
    parameters = {
        "ef_search": _choose_ef_search(retrieval),
        "max_scan_tuples": str(MAX_SCAN_TUPLES),
    }
    return pipeline.send(load_statement("search/set_session"), parameters)


def check_settings(retrieval: Retrieval, row: Row) -> None:
    """Check the answer of `send_settings`.

    If a value is wrong, pgvector only warns and then scans without the setting. Hits can then be
    missing without an error.

    Raises:
        SessionSettingError: a setting did not take effect.
    """
    if (row["ef_search"], row["iterative_scan"]) != (_choose_ef_search(retrieval), "strict_order"):
        raise SessionSettingError(
            f"hnsw.ef_search is {row['ef_search']}, hnsw.iterative_scan {row['iterative_scan']}"
        )


def configure_session(connection: Connection, retrieval: Retrieval) -> None:
    """Send the settings of a transaction, and check that they took effect.

    Raises:
        SessionSettingError: a setting did not take effect.
    """
    with pipelined(connection) as pipeline:
        answer = send_settings(pipeline, retrieval)
    check_settings(retrieval, answer.one())


def select_legs(
    connection: Connection,
    retrieval: Retrieval,
    planned: FilterPlan,
    query: str,
    vector: Vector | None,
) -> Legs:
    """Run the legs of one query. A leg whose weight is 0 is not run."""
    # All statements of a search share one deadline. Each statement gets the time that is left.
    with pipelined(connection) as pipeline:
        retrieval.deadline.send_limit(pipeline)
        sent = SentLegs(
            send_keyword_leg(pipeline, retrieval, planned, query),
            send_vector_leg(pipeline, retrieval, planned, vector),
        )
    return sent.read()


def send_keyword_leg(
    pipeline: Pipeline,
    retrieval: Retrieval,
    planned: FilterPlan,
    query: str,
    terms: FeedbackTerms = NO_TERMS,
) -> Answer | None:
    """Send the keyword leg of one query, unless its weight is 0. `terms` are further terms.

    Raises:
        SearchTimeoutError: no time is left.
    """
    if retrieval.vector_weight == 1:
        return None
    retrieval.deadline.remaining_ms()
    generation = retrieval.generation
    # This is the version that analysed the entries. It can be older than the version of this
    # release.
    analysed = analyze_text(query, generation.language, generation.analysis_version)
    # If the filter leaves few entries, all of them are scored. Then no bound is needed, and every
    # word of the query can find candidates.
    is_unbounded = planned.plan.filter == "entries"
    parameters = {
        "generation_id": generation.id,
        "language": generation.language,
        "query": analysed.main,
        "query_forms": analysed.added,
        "whole_forms": list_whole_forms(query, generation.language) if analysed.added else "",
        "form_weight": FORM_WEIGHT,
        "query_share": terms.query_share,
        "feedback_lexemes": list(terms.lexemes),
        "feedback_frequencies": list(terms.frequencies),
        "feedback_weights": list(terms.weights),
        "keyword_bound": NO_KEYWORD_BOUND if is_unbounded else retrieval.settings.keyword_bound,
        **_make_shared(retrieval, planned),
    }
    has_condition = planned.condition is not NO_CONDITION
    statement = bind_filter(
        "search/select_keyword_leg",
        generation.id,
        planned.condition.sql,
        # A condition needs columns that only the table of entries has.
        is_narrow=generation.has_term_weights and not has_condition,
    )
    return pipeline.send(statement, parameters, is_prepared=not has_condition)


def send_vector_leg(
    pipeline: Pipeline, retrieval: Retrieval, planned: FilterPlan, vector: Vector | None
) -> Answer | None:
    """Send the vector leg of one query, unless its weight is 0."""
    if retrieval.vector_weight == 0 or vector is None:
        return None
    is_scan = planned.plan.vector == "scan"
    parameters = {"embedding": HalfVector(vector), **_make_shared(retrieval, planned)}
    statement = bind_filter(
        "search/select_vector_leg",
        retrieval.generation.id,
        planned.condition.sql,
        is_scan=is_scan,
    )
    return pipeline.send(statement, parameters, is_prepared=planned.condition is NO_CONDITION)


@lru_cache(maxsize=512)
def bind_filter(
    name: str,
    generation_id: int,
    condition: str,
    *,
    is_scan: bool = False,
    is_narrow: bool = False,
) -> TextClause:
    """Return a statement over the entries of a generation that satisfy a condition.

    `condition` is `Condition.sql`. It contains no value that a caller sent. With `is_scan`, the
    vector leg scans all entries. With `is_narrow`, the statement reads the table of term weights.
    """
    statement = load_generation_statement(name, generation_id).text
    if is_narrow:
        wide, narrow = entries_table(generation_id), term_weights_table(generation_id)
        statement = statement.replace(wide, narrow)
    statement = statement.replace(SCAN_MARK, SCAN_ORDER if is_scan else "")
    return text(statement.replace(FILTER_MARK, condition))


def _make_shared(retrieval: Retrieval, planned: FilterPlan) -> dict[str, object]:
    """Return the parameters of both legs."""
    return {
        "principals": list_principals(retrieval.principals),
        "depth": retrieval.depth,
        **planned.condition.values,
    }


def _read_leg(answer: Answer | None) -> Leg:
    if answer is None:
        return EMPTY_LEG
    row = answer.one()
    return Leg.read(row["ids"], row["scores"], row.get("best_score"))


def _choose_ef_search(retrieval: Retrieval) -> str:
    return str(min(max(retrieval.depth, retrieval.ef_search), MAX_EF_SEARCH))
