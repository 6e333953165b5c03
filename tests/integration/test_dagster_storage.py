"""Dagster's storage reuses its connections and replaces lost ones."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from dagster import DagsterInstance
from sqlalchemy import text

from dagster_project.instance import open_instance
from dagster_project.pooled_storage import MAX_UNCHECKED_IDLE_S, PooledStorage
from ragline.configuration import Configuration
from ragline.storage.database import Database

# Dagster's own use of SQLAlchemy.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return Configuration(path=tmp_path / "ragline.yaml", home=tmp_path / ".ragline")


def count_events(instance: DagsterInstance) -> int:
    return len(instance.event_log_storage.get_logs_for_run("no such run"))


def test_statements_share_one_connection_of_each_store(
    configuration: Configuration, database: Database
) -> None:
    with open_instance(configuration, database) as instance:
        engine = instance.event_log_storage._engine  # type: ignore[attr-defined]
        for _ in range(5):
            count_events(instance)
        assert engine.pool.checkedin() == 1
        assert engine.pool.checkedout() == 0


def use_every_store(instance: DagsterInstance) -> None:
    """The first use of each store: the engines' connections are taken from their pools."""
    assert instance.run_storage.get_run_storage_id()
    assert count_events(instance) == 0
    assert list(instance.all_instigator_state()) == []


def end_connections(database: Database) -> int:
    """End every other connection to the database, and wait until they are gone."""
    others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    with database.begin() as connection:
        lost = connection.execute(
            text(f"select count(pg_terminate_backend(pid, 5000)) {others}")
        ).scalar_one()
    return int(lost)


@pytest.mark.parametrize("pause_s", [0.0, MAX_UNCHECKED_IDLE_S + 0.1])
@pytest.mark.parametrize("is_webserver", [False, True])
def test_lost_connections_are_replaced(
    configuration: Configuration, database: Database, *, is_webserver: bool, pause_s: float
) -> None:
    with open_instance(configuration, database) as instance:
        if is_webserver:
            instance.optimize_for_webserver(
                statement_timeout=60_000, pool_recycle=3600, max_overflow=20
            )
        use_every_store(instance)
        assert end_connections(database) >= 3
        time.sleep(pause_s)
        use_every_store(instance)


def test_instance_of_the_daemon_has_the_same_storage(
    configuration: Configuration, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_instance(configuration, database):
        monkeypatch.setenv("RAGLINE_DAGSTER_STORAGE_URL", database.dagster_url)
        folder = str(configuration.home / "dagster")
        with DagsterInstance.from_config(folder) as instance:
            assert instance.get_ref().storage_data.class_name == PooledStorage.__name__
            assert instance.event_log_storage._engine.pool.size() == 1  # type: ignore[attr-defined]
