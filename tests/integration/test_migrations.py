"""Migrations run once, in one process at a time, and never on a newer database."""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import event, text

from ragline.errors import DatabaseTooNewError, DatabaseUnavailableError
from ragline.storage import migrations
from ragline.storage.database import Database, connect_database, prepare_database, read_url
from ragline.storage.migrations import (
    MIGRATION_LOCK,
    SchemaRevision,
    alembic_config,
    current_revision,
    last_breaking_revision,
    migrate_schema,
    read_revision,
)
from ragline.storage.schema_head import is_at_head, known_revisions

TABLES = "select count(*) from pg_tables where schemaname = 'ragline'"


@pytest.fixture
def unmigrated_url(server: str) -> Iterator[str]:
    name = f"unmigrated_{uuid.uuid4().hex[:12]}"
    url = read_url(server)
    arguments = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    with psycopg.connect(**arguments, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.execute(f"drop database {name} with (force)".encode())


@pytest.fixture
def unmigrated(unmigrated_url: str) -> Iterator[Database]:
    database = connect_database(unmigrated_url)
    with database.begin() as connection:
        connection.execute(text("create schema ragline"))
        connection.execute(text("create extension vector schema public"))
    database.engine.dispose()
    yield database
    database.engine.dispose()


def prepare(address: str) -> None:
    database = connect_database(address)
    try:
        prepare_database(database)
    finally:
        database.engine.dispose()


def test_many_processes_may_prepare_one_new_database_at_once(unmigrated_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(prepare, [unmigrated_url] * 6))
    database = connect_database(unmigrated_url)
    with database.connect() as connection:
        applied = connection.execute(text("select version_num from schema_revisions")).scalars()
        breaking = connection.execute(text("select version_num from alembic_version")).scalars()
        assert list(applied) == [head()]
        assert list(breaking) == [last_breaking()]
    database.engine.dispose()


def head() -> str | None:
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def last_breaking() -> str:
    return last_breaking_revision(ScriptDirectory.from_config(alembic_config()))


def test_migration_waits_for_a_running_migration(unmigrated: Database) -> None:
    thread = threading.Thread(target=migrate_schema, args=[unmigrated.engine])
    with unmigrated.begin() as connection:
        connection.execute(text(f"select pg_advisory_xact_lock({MIGRATION_LOCK})"))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        assert connection.execute(text(TABLES)).scalar_one() == 0
    thread.join(60)
    with unmigrated.connect() as connection:
        assert current_revision(connection) == head()


def test_database_at_head_is_neither_locked_nor_written(database: Database) -> None:
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    with database.begin() as connection:
        connection.execute(text(f"select pg_advisory_xact_lock({MIGRATION_LOCK})"))
        statements.clear()
        migrate_schema(database.engine)
    assert statements
    assert all(statement.lower().startswith("select") for statement in statements)


def test_newer_database_is_refused_and_not_changed(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
        tables = connection.execute(text(TABLES)).scalar_one()
    with pytest.raises(DatabaseTooNewError, match=f"9999.*up to {head()}.*upgrade Ragline"):
        migrate_schema(database.engine)
    with database.connect() as connection:
        assert read_revision(connection) == SchemaRevision(head(), "9999")
        assert connection.execute(text(TABLES)).scalar_one() == tables


def test_failed_migration_changes_nothing(unmigrated: Database) -> None:
    with unmigrated.begin() as connection:
        connection.execute(text("create table ragline.feedback (in_the_way boolean)"))
    with pytest.raises(Exception, match="feedback"):
        migrate_schema(unmigrated.engine)
    with unmigrated.connect() as connection:
        assert connection.execute(text(TABLES)).scalar_one() == 1


def test_revisions_form_one_line() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    for script in scripts.walk_revisions():
        assert script.doc, script.revision


NEXT_RELEASE = """
\"\"\"A migration of the next release.\"\"\"

from alembic import op

revision = "9001"
down_revision = "{head}"
is_breaking = {is_breaking}


def upgrade():
    op.execute("alter table ragline.collections add column of_next_release text")
"""


@pytest.fixture
def release_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Database, bool], None]:
    """Migrate a database as the next release does, which has one more migration."""

    def migrate(database: Database, is_breaking: bool) -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(str(files("sql") / "migrations"), folder)
        script = NEXT_RELEASE.format(head=head(), is_breaking=is_breaking)
        (folder / "versions" / "9001_next_release.py").write_text(script, "utf-8")
        config = Config()
        config.set_main_option("script_location", str(folder))
        with monkeypatch.context() as patched:
            patched.setattr(migrations, "alembic_config", lambda: config)
            migrate_schema(database.engine)

    return migrate


def test_additive_migration_of_the_next_release_does_not_stop_this_one(
    database: Database, release_next: Callable[[Database, bool], None]
) -> None:
    release_next(database, False)
    migrate_schema(database.engine)
    with database.connect() as connection:
        assert read_revision(connection) == SchemaRevision("9001", last_breaking())


def test_migration_that_waits_for_a_table_blocks_other_sessions_only_briefly(
    database: Database,
    release_next: Callable[[Database, bool], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(migrations, "LOCK_MS", 200)
    monkeypatch.setattr(migrations, "PAUSE_S", 0.5)
    thread = threading.Thread(target=release_next, args=[database, False])
    with database.begin() as connection:
        connection.execute(text("select from ragline.collections"))
        thread.start()
        # Without a limit for its wait, the migration would block each of these.
        longest = 0.0
        for _ in range(20):
            started = time.monotonic()
            with database.connect() as other:
                other.execute(text("select from ragline.collections"))
            longest = max(longest, time.monotonic() - started)
            time.sleep(0.1)
        assert longest < 1.5
        assert thread.is_alive()
    thread.join(60)
    with database.connect() as connection:
        assert read_revision(connection).applied == "9001"


def test_error_names_locked_tables(
    database: Database,
    release_next: Callable[[Database, bool], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"LOCK_MS": 50, "PAUSE_S": 0.05, "MAX_BLOCKED_S": 0.3}.items():
        monkeypatch.setattr(migrations, name, value)
    with database.begin() as connection:
        connection.execute(text("select from ragline.collections"))
        with pytest.raises(DatabaseUnavailableError, match="other sessions locked its tables"):
            release_next(database, False)


def test_breaking_migration_of_the_next_release_stops_this_one(
    database: Database, release_next: Callable[[Database, bool], None]
) -> None:
    release_next(database, True)
    with pytest.raises(DatabaseTooNewError, match="9001"):
        migrate_schema(database.engine)


def test_database_of_an_older_release_is_migrated(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("drop table schema_revisions"))
    migrate_schema(database.engine)
    with database.connect() as connection:
        assert read_revision(connection) == SchemaRevision(head(), last_breaking())


def test_only_the_first_migrations_are_breaking() -> None:
    # Releases up to 0.3.0 compare alembic_version with 0005. A breaking migration stops them, so
    # it needs a decision record and a line in CHANGELOG.md in addition to the flag.
    assert last_breaking() == "0005"


def test_head_by_file_names_equals_the_head_of_alembic(database: Database) -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert set(known_revisions()) == {script.revision for script in scripts.walk_revisions()}
    assert known_revisions()[-1] == head()
    with database.connect() as connection:
        assert is_at_head(connection)


@pytest.mark.parametrize("table", ["schema_revisions", "alembic_version"])
def test_database_with_an_unknown_revision_is_handled_by_alembic(
    database: Database, table: str
) -> None:
    with database.begin() as connection:
        connection.execute(text(f"update ragline.{table} set version_num = '9999'"))
    with database.connect() as connection:
        assert not is_at_head(connection)


def test_database_without_tables_of_revisions_is_not_at_head(unmigrated: Database) -> None:
    with unmigrated.connect() as connection:
        assert not is_at_head(connection)
