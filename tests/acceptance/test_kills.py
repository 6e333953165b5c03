"""Kill -9 at random times: the index after the next sync equals that of an undisturbed sync.

What is killed: the syncing process, a parser's process, Postgres as a whole or one backend of
it. KillTimes come from a seed and the length of an undisturbed sync. RAGLINE_SOAK kills each of
them twenty times; the ordinary run, once.
"""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docx
import psutil
import psycopg
import pytest
from command_process import CommandProcess
from killed_commands import (
    ATTEMPTS,
    LOG,
    Ending,
    KillTimes,
    count_embeddings,
    draw_times,
    embedded_url,
    has_rows,
    kill_one,
    list_servers,
    query,
    read_command,
    server_url,
    wait_for_end,
    wait_until,
)
from ragline_home import Home, count_made
from repetition_counts import choose_count

from ragline.configuration import load_configuration
from ragline.lifecycle.ledger import register_source
from ragline.lifecycle.listing import apply_listing, read_listing
from ragline.lifecycle.run_context import RunContext
from ragline.storage.database import connect_database
from ragline.storage.embedded_postgres import embedded_postgres

# Each test starts a dozen processes, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(1_200)
CONFIGURATION = """\
collections:
  - name: notes
    chunking: {{max_tokens: 64, overlap_tokens: 8}}
sources:
  - {{name: note-files, collection: notes, kind: files, uri: "{tree}/notes"}}
  - {{name: facts, collection: notes, kind: records, uri: "{tree}/facts.jsonl"}}
"""
# In the long run more than the texts of one commit, so that a kill can happen between two commits.
# `test_sync_command` always kills there.
FACTS = choose_count(150, 1_100)
NOTES = choose_count(40, 200)
PAGES = choose_count(15, 80)
# They take a parser some time and contain no text to embed.
EMPTY_PARAGRAPHS = choose_count(50, 200)
LOST_SERVER = re.compile(
    r"DatabaseUnavailableError: .*Postgres\b.* does not answer"
    r"|DatabaseStartingError: .*Postgres\b.* is starting, stopping or recovering"
)
PARSER = "ragline.parsing.parser_process"


def seeds(ordinary: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("seed", range(choose_count(ordinary, 20)))


@dataclass(frozen=True)
class Undisturbed:
    """The result of an undisturbed sync.

    `seconds` run from its first source to its end, `reading_s` from the first parser on.
    """

    entries: list[dict[str, Any]]
    made: int
    seconds: float
    reading_s: float


MakeHome = Callable[[], Home]


@pytest.fixture(scope="session")
def tree(make_shared: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """Small files of three formats, and a file of records."""
    return make_shared("killed_tree", write_tree)


def write_tree(tree: Path) -> None:
    notes = tree / "notes"
    notes.mkdir()
    for number in range(NOTES):
        text = f"# Note {number}\n\nSubject {number} has its own story to tell.\n"
        (notes / f"note-{number:03}.md").write_text(text, "utf-8")
    for number in range(PAGES):
        text = f"<h1>Page {number}</h1><p>The page {number} speaks of something else.</p>"
        (notes / f"page-{number:03}.html").write_text(f"<html><body>{text}</body></html>", "utf-8")
    for number in range(20):
        report = docx.Document()
        report.add_heading(f"Report {number}")
        for finding in range(5):
            report.add_paragraph(f"Finding {finding} of report {number} is written in a few words.")
        for _ in range(EMPTY_PARAGRAPHS):
            report.add_paragraph()
        report.save(str(notes / f"report-{number:03}.docx"))
    facts = [{"_id": f"{number:04}", "text": f"Fact {number} holds."} for number in range(FACTS)]
    (tree / "facts.jsonl").write_text("".join(f"{json.dumps(fact)}\n" for fact in facts), "utf-8")


@pytest.fixture(scope="session")
def undisturbed(
    tree: Path,
    copy_prepared_home: Callable[[Path], None],
    make_shared: Callable[[str, Callable[[Path], None]], Path],
    embedder: object,
) -> Undisturbed:
    """The result of one undisturbed sync, for the tests of all workers."""
    assert embedder, "the model is exported before the time is taken"

    def sync(folder: Path) -> None:
        (folder / "ragline.yaml").write_text(CONFIGURATION.format(tree=tree), "utf-8")
        copy_prepared_home(folder / ".ragline")
        result = sync_undisturbed(Home(folder, None))
        (folder / "result.json").write_text(json.dumps(asdict(result)), "utf-8")

    folder = make_shared("undisturbed", sync)
    return Undisturbed(**json.loads((folder / "result.json").read_text("utf-8")))


def sync_undisturbed(home: Home) -> Undisturbed:
    process = home.start("sync", "--json")
    wait_until(lambda: has_listed(embedded_url(home)), process)
    begun = time.monotonic()
    wait_until(lambda: list_parsers(process), process)
    reading_from = time.monotonic()
    wait_until(lambda: has_parsed(embedded_url(home)), process)
    reading_s = time.monotonic() - reading_from
    out, err = process.communicate()
    seconds = time.monotonic() - begun
    assert process.returncode == 0, err
    return Undisturbed(home.export(), count_made(json.loads(out)), seconds, reading_s)


@pytest.fixture
def make_home(
    tmp_path: Path, tree: Path, make_database_url: Callable[[], str], model_cache: Path
) -> MakeHome:
    """Homes over fresh databases of the tests' server."""
    folders = (tmp_path / f"{number}" for number in range(ATTEMPTS))

    def make() -> Home:
        folder = next(folders)
        (folder / ".ragline").mkdir(parents=True)
        (folder / "ragline.yaml").write_text(CONFIGURATION.format(tree=tree), "utf-8")
        model_cache.mkdir(exist_ok=True)
        (folder / ".ragline" / "models").symlink_to(model_cache)
        return Home(folder, make_database_url())

    return make


@pytest.fixture
def make_embedded_home(
    tmp_path: Path, tree: Path, copy_prepared_home: Callable[[Path], None]
) -> MakeHome:
    """Homes with an embedded Postgres of their own."""
    folders = (tmp_path / f"{number}" for number in range(ATTEMPTS))

    def make() -> Home:
        folder = next(folders)
        copy_prepared_home(folder / ".ragline")
        (folder / "ragline.yaml").write_text(CONFIGURATION.format(tree=tree), "utf-8")
        return Home(folder, None)

    return make


@seeds(1)
def test_killed_sync_ends_in_the_index_of_an_undisturbed_one(
    make_home: MakeHome, undisturbed: Undisturbed, seed: int
):
    times = draw_times(f"sync {seed}", 0.9 * undisturbed.seconds)

    def kill(home: Home, process: CommandProcess, kill_time: float) -> bool:
        wait_until(lambda: has_listed(server_url(home)), process)
        time.sleep(kill_time)
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        _, alive = psutil.wait_procs(family, timeout=60)
        assert alive == [], "a reader's process outlived its sync"
        return process.wait() == -signal.SIGKILL

    home, _ = disturb(make_home, times, kill)
    check_next_sync(home, undisturbed, server_url(home))


@seeds(1)
def test_killed_parser_costs_no_more_than_another_attempt(
    make_home: MakeHome, undisturbed: Undisturbed, seed: int
):
    times = draw_times(f"parser {seed}", 0.9 * undisturbed.reading_s)

    def kill(_home: Home, process: CommandProcess, kill_time: float) -> bool:
        wait_until(lambda: list_parsers(process), process)
        time.sleep(kill_time)
        return kill_one(times.random, list_parsers(process))

    home, ended = disturb(make_home, times, kill)
    assert ended.status == 0, ended.said
    failed = list_unready(server_url(home))
    assert {error for _, error in failed} <= {"ParserCrashedError"}
    LOG.info("failed: %s", failed)
    retried = home.read("retry", "note-files")["retried"]
    assert [document["document_id"] for document in retried] == [name for name, _ in failed]
    check_next_sync(home, undisturbed, server_url(home))


@pytest.mark.parametrize("victim", ["postmaster", "backend"])
@seeds(1)
def test_killed_postgres_fails_the_sync_by_name_and_not_the_next_one(
    make_embedded_home: MakeHome, undisturbed: Undisturbed, victim: str, seed: int
):
    times = draw_times(f"{victim} {seed}", 0.9 * undisturbed.seconds)

    def kill(home: Home, process: CommandProcess, kill_time: float) -> bool:
        wait_until(lambda: has_listed(embedded_url(home)), process)
        time.sleep(kill_time)
        return kill_one(times.random, list_servers(home, victim))

    home, ended = disturb(make_embedded_home, times, kill)
    assert ended.status in (0, 1)
    assert "Traceback" not in ended.said
    assert ended.status == 0 or LOST_SERVER.search(ended.said), ended.said
    check_next_sync(home, undisturbed, None)
    assert list_servers(home, "postmaster") == [], "the last to leave stops the server"


def test_two_syncs_at_once_embed_nothing_twice(make_home: MakeHome, undisturbed: Undisturbed):
    home = make_home()
    processes = [home.start("sync", "--json") for _ in range(2)]
    endings = [wait_for_end(process) for process in processes]
    assert min(ending.status for ending in endings) == 0
    for ending in endings:
        assert ending.status == 0 or "SyncInProgressError" in ending.said
    assert sum(count_made(ending.report) for ending in endings) == undisturbed.made
    assert list_unready(server_url(home)) == []
    assert home.export() == undisturbed.entries


@seeds(1)
def test_worker_finishes_what_a_killed_one_left(
    make_home: MakeHome, undisturbed: Undisturbed, seed: int
):
    times = draw_times(f"worker {seed}", 0.6 * undisturbed.seconds)
    survivors: list[CommandProcess] = []

    def kill(home: Home, process: CommandProcess, kill_time: float) -> bool:
        home.environment["RAGLINE_DATABASE_URL"] = named_url(home, "survivor")
        survivors.append(home.start("work", "--json"))
        wait_until(lambda: list_parsers(process), process)
        time.sleep(kill_time)
        process.kill()
        return process.wait() == -signal.SIGKILL

    def make_listed_home() -> Home:
        while survivors:
            wait_for_end(survivors.pop())
        home = make_home()
        list_sources(home)
        name_makers(server_url(home))
        home.environment["RAGLINE_DATABASE_URL"] = named_url(home, "killed")
        return home

    home, _ = disturb(make_listed_home, times, kill, "work")
    survivor = wait_for_end(survivors.pop())
    assert survivor.status == 0, survivor.said
    made = sum(source["embeddings_made"] for source in survivor.report["sources"])
    kept = count_embeddings(server_url(home), "made_by = 'killed'")
    LOG.info("%d embeddings of the killed worker, %d of the other", kept, made)
    assert kept + made == undisturbed.made
    # The only work left is to publish what the workers indexed.
    assert count_made(home.read("sync")) == 0
    assert list_unready(server_url(home)) == []
    assert home.export() == undisturbed.entries


def test_sync_after_a_killed_one_starts_at_once(make_home: MakeHome):
    home = make_home()
    process = home.start("sync", "facts", "--json")
    wait_until(lambda: has_lock(server_url(home)), process)
    process.kill()
    process.communicate()
    killed_at = time.monotonic()
    while has_lock(server_url(home)):
        assert time.monotonic() < killed_at + 20, "the lock outlived its holder"
        time.sleep(0.02)
    assert list_run_states(server_url(home)) == ["STARTED"]
    assert home.read("sync", "facts")["ok"]
    assert list_run_states(server_url(home)) == ["FAILURE", "SUCCESS"]


# Disturbed syncs.


def disturb(
    make_home: MakeHome,
    times: KillTimes,
    kill: Callable[[Home, CommandProcess, float], bool],
    command: str = "sync",
) -> tuple[Home, Ending]:
    """A home whose sync was disturbed, and how the sync ended; too fast syncs are discarded."""
    for kill_time in times:
        home = make_home()
        process = home.start(command, "--json")
        try:
            was_hit = kill(home, process, kill_time)
        finally:
            ending = wait_for_end(process)
        if was_hit:
            LOG.info("killed %.2f of %.2f s in: %d", kill_time, times.length_s, ending.status)
            return home, ending
    pytest.fail(f"{ATTEMPTS} syncs ended before they could be disturbed")


def check_next_sync(home: Home, undisturbed: Undisturbed, database_url: str | None) -> None:
    """The next sync does only the work that is left, and serves the same as an undisturbed one."""
    begun_at = datetime.now(UTC)
    made = count_made(home.read("sync"))
    assert home.export() == undisturbed.entries
    if database_url is not None:
        check_embeddings(database_url, begun_at, made, undisturbed.made)
        return
    with embedded_postgres(home.folder / ".ragline") as url:
        check_embeddings(url, begun_at, made, undisturbed.made)


def check_embeddings(database_url: str, begun_at: datetime, made: int, expected: int) -> None:
    kept = count_embeddings(database_url, f"created_at < '{begun_at.isoformat()}'")
    LOG.info("%d embeddings kept, %d made", kept, made)
    assert kept + made == expected
    assert count_embeddings(database_url, "true") == expected
    assert list_unready(database_url) == []


def list_parsers(process: CommandProcess) -> list[psutil.Process]:
    """The processes of a sync that read documents."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [one for one in family if PARSER in read_command(one)]


# Reading the database.


def named_url(home: Home, name: str) -> str:
    """The home's database for a worker whose sessions have a name."""
    url, _, query = server_url(home).partition("?")
    kept = [part for part in query.split("&") if part and not part.startswith("application_name=")]
    return f"{url}?{'&'.join([*kept, f'application_name={name}'])}"


def list_unready(database_url: str) -> list[tuple[str, str]]:
    """The documents that are not ready, by id, and the names of their errors."""
    return query(
        database_url,
        "select document_id, error_name from ragline.documents where state <> 'ready' order by 1",
    )


def list_run_states(database_url: str) -> list[str]:
    rows = query(database_url, "select status from dagster.runs order by id")
    return [status for (status,) in rows]


def has_lock(database_url: str) -> bool:
    """Whether a sync has locked a source of this database."""
    locks = query(
        database_url,
        "select 1 from pg_locks where locktype = 'advisory' and classid = 7267003 and granted"
        " and database = (select oid from pg_database where datname = current_database())",
    )
    return bool(locks)


def has_listed(database_url: str | None) -> bool:
    return has_rows(database_url, "ragline.sources")


def has_parsed(database_url: str | None) -> bool:
    """Whether parsing has ended and the next stage has started."""
    return has_rows(database_url, "ragline.chunkings")


def list_sources(home: Home) -> None:
    """The part of a sync before workers can share its reading."""
    database = connect_database(server_url(home))
    with RunContext(
        load_configuration(home.folder / "ragline.yaml"), database, "list"
    ) as run_context:
        for settings in run_context.configuration.sources:
            source = run_context.open_source(settings.name)
            with database.connect() as connection:
                listing = read_listing(connection, source)
            with database.begin() as connection:
                key = register_source(connection, settings)
                apply_listing(connection, key.id, source, listing, settings.max_removal_ratio)
    database.engine.dispose()


def name_makers(database_url: str) -> None:
    """Record for each embedding the session that stored it."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "alter table ragline.embeddings"
            " add column made_by text default current_setting('application_name')"
        )
