"""Fixtures that all tests share: a real Postgres server, a database for each test, and real data.

A template database is migrated once and copied for each test, which takes about 50 ms. Modules
whose tests need the same rows share a database in the same way (`database_copies`).
RAGLINE_TEST_DATABASE_URL names a server to use instead of the embedded one. Its user needs the
permission to create databases. RAGLINE_TEST_SESSION names the folder that the workers share, for a
test run within a test.

The tests read data of the repository. Larger collections of the same kinds are outside, because
some of them may not be distributed: RAGLINE_TEST_DATA names their folder. Tests that read them have
the mark `outside_data` and run only if that folder exists, or with RAGLINE_SOAK.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import psycopg
import pytest
from database_copies import DatabaseServer, read_database_name
from filelock import FileLock
from hypothesis import settings
from naughty_strings import list_naughty_strings
from repetition_counts import IS_SOAK
from sqlalchemy import make_url

from ragline.configuration import Configuration, load_configuration
from ragline.embedder.embedder import Embedder, load_embedder
from ragline.gate.publication import publish_collection
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.embeddings import embed_chunks
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.run_context import RunContext
from ragline.parsing.parser_pool import ParserPool
from ragline.storage.database import Database, connect_database, prepare_database, read_url
from ragline.storage.embedded_postgres import embedded_postgres

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
REPOSITORY = Path(__file__).parent.parent
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - mkdtemp makes the folder in it
# The folders of a whole run have about 4 GB.
MEMORY_DISK_BYTES = 6 << 30
FREE_MEMORY_BYTES = 10 << 30


# The test modules and Ragline are compiled once, and not again in each child process.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell starts a process in the background with SIGINT ignored. A run of Dagster in this process
# then also ignores SIGTERM, and the programs that tests start inherit this and cannot be stopped.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# On a busy machine, an example can take much longer than at its first run.
settings.register_profile("ordinary", deadline=None)
settings.register_profile("soak", max_examples=2_000, deadline=None)
settings.load_profile("soak" if IS_SOAK else "ordinary")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the folders of a run with several workers in memory, and remove them at its end.

    Each test makes and drops a database of 650 files. In memory, this takes half the processor
    time. The folders of a run without workers stay, so that a person can look at them.
    """
    has_workers = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if not has_workers or config.option.basetemp is not None or not _has_free_memory():
        return
    folder = tempfile.mkdtemp(prefix="ragline-tests-", dir=MEMORY_DISK)
    config.option.basetemp = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def _has_free_memory() -> bool:
    try:
        disk = os.statvfs(MEMORY_DISK)
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return False
    (available,) = (int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    is_large = disk.f_bavail * disk.f_frsize >= MEMORY_DISK_BYTES
    return is_large and available << 10 >= FREE_MEMORY_BYTES


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that read outside collections, unless they were requested."""
    if not (IS_SOAK or ("RAGLINE_TEST_DATA" in os.environ and _find_outside_data())):
        deselected = [item for item in items if _reads_outside_data(item)]
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if not _reads_outside_data(item)]
    if hasattr(config, "workerinput"):
        items[:] = _begin_with_slow_tests(items, config.workerinput["workercount"])


def _begin_with_slow_tests(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Begin the share of each worker with slow tests, so that all workers end at the same time.

    Each worker first gets an equal share of the list. A worker that has ended takes tests from the
    end of another share.
    """
    slow: dict[Path, list[pytest.Item]] = {}
    quick: list[pytest.Item] = []
    for item in items:
        is_slow = item.path.parent.name == "acceptance" or item.get_closest_marker("slow")
        (slow.setdefault(item.path, []) if is_slow else quick).append(item)
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for tests in slow.values():
        min(shares, key=len).extend(tests)
    ordered: list[pytest.Item] = []
    for number, share in enumerate(shares):
        size = (len(items) - len(ordered)) // (workers - number)
        filling = max(0, size - len(share))
        ordered += [*share, *quick[:filling]]
        del quick[:filling]
    return [*ordered, *quick]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAGLINE_DATABASE_URL", "RAGLINE_HOME", "RAGLINE_CONFIG", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def outside_data() -> Path:
    """The folder of the collections outside the repository, for tests with that mark."""
    folder = _find_outside_data()
    if folder is None:
        pytest.skip("no collections outside the repository; RAGLINE_TEST_DATA names their folder")
    return folder


@pytest.fixture(scope="session")
def naughty_strings() -> list[str]:
    """Strings that break programs; in a long run also those of the larger list."""
    return list_naughty_strings(_find_outside_data() if IS_SOAK else None)


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of one test run share."""
    stated = os.environ.get("RAGLINE_TEST_SESSION")
    if stated:
        return Path(stated)
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "session"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def make_shared(session_folder: Path) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder by its name, once for all workers of one test run."""

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder = session_folder / name
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                unfinished = session_folder / f"{name}.unfinished"
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                fill(unfinished)
                unfinished.rename(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def copy_prepared_home(
    make_shared: Callable[[str, Callable[[Path], None]], Path], model_cache: Path
) -> Callable[[Path], None]:
    """Writes a RAGLINE_HOME with the exported models and an embedded Postgres that has its tables.

    Copying the files of the server takes a tenth of the time of making them.
    """

    def prepare(home: Path) -> None:
        with embedded_postgres(home) as address:
            database = connect_database(address)
            prepare_database(database)
            create_dagster_tables(database)
            database.engine.dispose()
        model_cache.mkdir(exist_ok=True)
        (home / "models").symlink_to(model_cache)
        (home / "postgres.log").unlink()
        # The socket of a copy is in another folder.
        sockets = home / "run"
        sockets.unlink() if sockets.is_symlink() else sockets.rmdir()

    def copy(home: Path) -> None:
        prepared = make_shared("prepared_home", prepare)
        home.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", f"{prepared}/.", str(home)], check=True)

    return copy


@pytest.fixture(scope="session")
def model_cache(session_folder: Path) -> Path:
    """The folder of the exported model, which is made once for each test run."""
    return session_folder / "models"


@pytest.fixture(scope="session")
def embedder(model_cache: Path) -> Embedder:
    """The real model. It remembers queries, because many tests ask those of one golden set."""
    loaded = load_embedder(DEFAULT_MODEL, cache=model_cache)
    vars(loaded)["embed_query"] = cache(loaded.embed_query)
    return loaded


@pytest.fixture(scope="session")
def server(session_folder: Path) -> Iterator[str]:
    """The address of a running Postgres that all workers share."""
    stated = os.environ.get("RAGLINE_TEST_DATABASE_URL")
    if stated:
        yield stated
        return
    with embedded_postgres(session_folder / "server") as address:
        # A power failure may lose the data of tests. Without fsync each test takes 0.3 s less, and
        # without full pages a new database takes 0.02 s less.
        _execute(
            address,
            "alter system set fsync = off",
            "alter system set full_page_writes = off",
            "select pg_reload_conf()",
        )
        yield address


@pytest.fixture(scope="session")
def database_server(
    server: str,
    make_shared: Callable[[str, Callable[[Path], None]], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[DatabaseServer]:
    """The server, on which tests make databases.

    The embedded server ends with its databases. On a stated server, each worker makes its own
    shared databases, and drops them at its end.
    """
    is_stated = "RAGLINE_TEST_DATABASE_URL" in os.environ
    own: list[Path] = []

    def make_own(name: str, fill: Callable[[Path], None]) -> Path:
        folder = tmp_path_factory.getbasetemp() / name
        if folder not in own:
            folder.mkdir()
            fill(folder)
            own.append(folder)
        return folder

    # A new connection takes 10 ms.
    with _connect(server) as connection:
        yield (made := DatabaseServer(server, connection, make_own if is_stated else make_shared))
        for folder in own:
            made.drop(read_database_name((folder / "address").read_text("utf-8")))


@pytest.fixture(scope="session")
def template(database_server: DatabaseServer) -> str:
    """The name of a migrated database without rows, also for Dagster."""

    def migrate(_: Path, url: str) -> None:
        database = connect_database(url)
        prepare_database(database)
        create_dagster_tables(database)
        database.engine.dispose()

    return database_server.share("template", "template1", migrate).name


@pytest.fixture
def make_database_url(
    database_server: DatabaseServer, template: str
) -> Iterator[Callable[[], str]]:
    """Makes new databases and returns their addresses; drops them after the test."""
    made: list[str] = []

    def make() -> str:
        made.append(database_server.create(template))
        return made[-1]

    yield make
    for url in made:
        database_server.drop(read_database_name(url))


@pytest.fixture
def database_url(make_database_url: Callable[[], str]) -> str:
    """The address of a new database, which is dropped after the test."""
    return make_database_url()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A new database."""
    opened = connect_database(database_url)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def configure(
    tmp_path: Path, database_url: str, model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Configuration]:
    """Writes a ragline.yaml into the test's folder and loads it with the test's database."""

    def write(content: str) -> Configuration:
        path = tmp_path / "ragline.yaml"
        path.write_text(content, encoding="utf-8")
        home = tmp_path / ".ragline"
        home.mkdir(exist_ok=True)
        if not (home / "models").exists():
            model_cache.mkdir(exist_ok=True)
            (home / "models").symlink_to(model_cache)
        monkeypatch.setenv("RAGLINE_DATABASE_URL", database_url)
        return load_configuration(path)

    return write


@pytest.fixture(scope="session")
def parsers() -> Iterator[ParserPool]:
    """Parser processes for all runs of a worker. A new process needs up to two seconds."""
    with ParserPool() as pool:
        yield pool


@pytest.fixture
def make_run_context(
    database: Database, embedder: Embedder, parsers: ParserPool
) -> Callable[..., RunContext]:
    """Makes a run context with the test's database and the real model."""

    def make(configuration: Configuration, run_id: str = "test-run") -> RunContext:
        run_context = RunContext(configuration, database, run_id, shared_parsers=parsers)
        run_context.models.add_embedder(DEFAULT_MODEL, embedder)
        return run_context

    return make


@pytest.fixture(scope="session")
def run_stages() -> Callable[[RunContext], dict[str, object]]:
    """Runs all stages without Dagster; returns the reports by name."""

    def run(run_context: RunContext) -> dict[str, object]:
        reports: dict[str, object] = {}
        for source in run_context.configuration.sources:
            for stage in (sync_documents, build_chunks, embed_chunks, apply_entries):
                reports[f"{source.name}/{stage.__name__}"] = stage(run_context, source.name)
        for collection in run_context.configuration.collections:
            reports[collection.name] = publish_collection(run_context, collection.name)
        # The run ends here, so that another run context can lock the sources.
        run_context.close()
        return reports

    return run


def create_dagster_tables(database: Database) -> None:
    """Create the tables of Dagster's storage, which a first sync would do in half a second."""
    # Imported here: Dagster takes a second to import, and tests without a database do not need it.
    from dagster_project.pooled_storage import PooledStorage

    storage = PooledStorage(database.dagster_url)
    for store in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
        store._engine.dispose()


def _reads_outside_data(item: pytest.Item) -> bool:
    asked = getattr(item, "fixturenames", ())
    return "outside_data" in asked or item.get_closest_marker("outside_data") is not None


def _find_outside_data() -> Path | None:
    stated = os.environ.get("RAGLINE_TEST_DATA")
    folder = Path(stated) if stated else REPOSITORY.parent / "shared" / "data"
    return folder if folder.is_dir() else None


def _address(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _execute(server: str, *statements: str) -> None:
    with _connect(server) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _connect(server: str) -> psycopg.Connection:
    url = read_url(server)
    address = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    return psycopg.connect(**address, autocommit=True)
