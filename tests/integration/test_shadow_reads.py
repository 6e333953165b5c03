"""Shadow reads in the database: their figures, their pair of generations, and their retention."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from ragline.configuration import RetentionSettings
from ragline.lifecycle.retention import delete_expired
from ragline.rollout.shadow_reads import (
    ShadowRead,
    compare_answers,
    describe_failure,
    read_shadow_figures,
    record_shadow_reads,
)
from ragline.search.messages import SearchAnswer, SearchRequest, StageTimes
from ragline.storage.database import Database

REQUEST = SearchRequest("handbook", "the secret plan", tenant="acme")
LIVE = SearchAnswer(uuid4(), "handbook", 1, (), StageTimes(1.0, 5.0, 0.0, 6.0), "f" * 16, "1")
CANDIDATE = SearchAnswer(uuid4(), "handbook", 2, (), StageTimes(1.0, 7.0, 0.0, 8.0), "f" * 16, "1")


def record(database: Database, *reads: ShadowRead) -> None:
    with database.begin() as connection:
        record_shadow_reads(connection, reads)


def test_figures_are_those_of_one_pair(database: Database) -> None:
    read = compare_answers(REQUEST, LIVE, CANDIDATE)
    partly = replace(
        read, id=uuid4(), candidate_ms=12.0, candidate_hits=3, overlap=0.5, rank_biased_overlap=0.4
    )
    failure = describe_failure(REQUEST, LIVE, 2, ValueError("the secret plan"))
    of_another = replace(read, id=uuid4(), candidate_id=3, overlap=0.0)
    record(database, read, partly, failure, of_another, read)
    figures = read_shadow_figures(database, 1, 2)
    assert (figures.reads, figures.errors) == (3, 1)
    assert (figures.live_p50_ms, figures.candidate_p50_ms) == (6.0, 10.0)
    assert (figures.live_zero_results, figures.candidate_zero_results) == (2, 1)
    assert figures.overlap == pytest.approx(0.75)
    assert figures.rank_biased_overlap == pytest.approx(0.7)
    assert read_shadow_figures(database, 1, 4).reads == 0


def test_query_and_message_of_an_error_are_not_stored(database: Database) -> None:
    failure = describe_failure(REQUEST, LIVE, 2, ValueError("the secret plan"))
    record(database, compare_answers(REQUEST, LIVE, CANDIDATE), failure)
    with database.connect() as connection:
        rows = connection.execute(text("select r::text from ragline.shadow_reads as r")).scalars()
        stored = "\n".join(rows)
    assert "acme" in stored
    assert "ValueError" in stored
    assert "secret" not in stored


def test_old_reads_are_left_out_and_deleted(database: Database) -> None:
    read = compare_answers(REQUEST, LIVE, CANDIDATE)
    old = replace(read, id=uuid4(), read_at=read.read_at - timedelta(days=8))
    record(database, read, old)
    assert read_shadow_figures(database, 1, 2).reads == 1
    assert read_shadow_figures(database, 1, 2, timedelta(days=9)).reads == 2
    settings = RetentionSettings(requests=timedelta(days=7))
    assert delete_expired(database, settings).deleted["shadow_reads"] == 1
    assert read_shadow_figures(database, 1, 2, timedelta(days=9)).reads == 1


def test_tenant_does_not_see_the_reads_of_another_tenant(database: Database) -> None:
    record(database, compare_answers(REQUEST, LIVE, CANDIDATE))
    with database.begin() as connection:
        connection.exec_driver_sql("grant select on ragline.shadow_reads to ragline_tenant")
    select = text("select count(*) from ragline.shadow_reads")
    for tenant, count in (("acme", 1), ("umbrella", 0)):
        with database.for_tenant(tenant).connect() as connection:
            assert connection.execute(select).scalar_one() == count
