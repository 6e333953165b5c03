"""Kill -9 during `ragline generation build`: the next build ends in the generation of an
undisturbed build, and embeds only what the killed one left.

What is killed: the building process, or a backend of Postgres. RAGLINE_SOAK kills each of them five
times; the ordinary run, once. A full disk ends a build too.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_process import CommandProcess
from killed_commands import (
    ATTEMPTS,
    LOG,
    Ending,
    draw_times,
    embedded_url,
    has_rows,
    kill_one,
    list_servers,
    query,
    wait_for_end,
    wait_until,
)
from ragline_home import Home
from repetition_counts import choose_count
from small_disks import fill_disk, mount_disk

from ragline.configuration import Configuration, load_configuration
from ragline.embedder.embedder import Embedder
from ragline.lifecycle.candidate_proof import prove_candidate
from ragline.lifecycle.generations import list_undropped
from ragline.lifecycle.index_report import IndexReport
from ragline.lifecycle.run_context import RunContext
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.status import read_status
from ragline.storage.database import Database, connect_database
from ragline.storage.embedded_postgres import embedded_postgres

pytestmark = pytest.mark.timeout(1_200)
CONFIGURATION = """\
collections:
  - name: notes
    build: manual
    hnsw_from_entries: 100
    chunking: {{max_tokens: {max_tokens}, overlap_tokens: 8}}
sources:
  - {{name: notes, collection: notes, kind: records, uri: "{tree}/notes.jsonl",
     fields: {{id: _id, text: text}}}}
"""
NOTES = choose_count(60, 300)
WORDS = (
    "harbour", "lantern", "orchard", "glacier", "timetable", "beekeeper", "archive", "violin",
    "quarry", "lighthouse", "ledger", "ferry", "bakery", "meadow", "compass", "chapel",
)  # fmt: skip
# Everything of a generation except ids and times, which differ in each build.
ENTRIES = """
select md5(string_agg(md5(row(document_id, ordinal, header, text, heading_path, char_start,
  char_end, metadata, embedding::text, lexical::text, tsv, content_hash)::text), ''
  order by document_id, ordinal)), count(*)
from ragline.entries_2
"""
LEXEMES = """
select md5(string_agg(lexeme || document_frequency, ' ' order by lexeme))
from ragline.lexemes where generation_id = 2
"""
COUNTS = "select state, entry_count, lexeme_count from ragline.generations order by id"
INDEXES = """
select c.relname, i.indisvalid from pg_index as i join pg_class as c on c.oid = i.indexrelid
where c.relname like 'entries_2_embedding%'
"""
VECTORS = "select count(*) from ragline.embeddings"
LOG_FILE_BYTES = 16 * 1024**2
# The log file of Postgres has this much space left, which is enough for a part of the vectors.
LEFT_LOG_BYTES = 1_300_000
# The space on a full disk. In the first case, Postgres starts, and a build does not fit. In the
# second case, all vectors fit, and the next file of the log of Postgres does not.
LEFT_BYTES = {"tables": 700_000, "log": 6_000_000}


@dataclass(frozen=True)
class Built:
    """What a build left in the database, and how long it took from its first row to its end."""

    content: list[Any]
    vectors: int
    seconds: float


@pytest.fixture(scope="session")
def tree(make_shared: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """Records that each have a few chunks."""

    def write(folder: Path) -> None:
        pick = random.Random(3)  # noqa: S311  the same each time, not a secret
        with (folder / "notes.jsonl").open("w", encoding="utf-8") as file:
            for number in range(NOTES):
                words = [" the ".join(pick.choices(WORDS, k=6)) for _ in range(12)]
                text = " ".join(f"Note {number} names the {part}." for part in words)
                file.write(json.dumps({"_id": f"{number:03}", "text": text}) + "\n")

    return make_shared("built_tree", write)


@pytest.fixture(scope="session")
def base(
    tree: Path,
    copy_prepared_home: Callable[[Path], None],
    make_shared: Callable[[str, Callable[[Path], None]], Path],
    run_stages: Callable[[RunContext], dict[str, object]],
    embedder: Embedder,
) -> Path:
    """A home with one live generation, whose settings ask for another one."""

    def prepare(folder: Path) -> None:
        copy_prepared_home(folder / ".ragline")
        (folder / "ragline.yaml").write_text(CONFIGURATION.format(tree=tree, max_tokens=128))
        configuration = load_configuration(folder / "ragline.yaml")
        with embedded_postgres(folder / ".ragline") as address:
            database = connect_database(address)
            run_context = RunContext(configuration, database, "first")
            run_context.models.add_embedder(embedder.space.model, embedder)
            run_stages(run_context)
            database.engine.dispose()
        (folder / "ragline.yaml").write_text(CONFIGURATION.format(tree=tree, max_tokens=48))

    return make_shared("built_base", prepare)


@pytest.fixture(scope="session")
def undisturbed(base: Path, make_shared: Callable[[str, Callable[[Path], None]], Path]) -> Built:
    """The result of one undisturbed build, for the tests of all workers."""

    def build(folder: Path) -> None:
        home = copy_home(base, folder / "home")
        process = home.start("generation", "build", "notes", "--json")
        wait_until(lambda: has_begun(home), process)
        begun = time.monotonic()
        ending = wait_for_end(process)
        seconds = time.monotonic() - begun
        assert ending.status == 0, ending.said
        with opened(home) as url:
            built = Built(read_content(url), count_vectors(url), seconds)
        (folder / "built.json").write_text(json.dumps(asdict(built)), "utf-8")

    folder = make_shared("built_undisturbed", build)
    return Built(**json.loads((folder / "built.json").read_text("utf-8")))


def copy_home(base: Path, folder: Path) -> Home:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", f"{base}/.", str(folder)], check=True)
    (folder / ".ragline/postgres.log").unlink(missing_ok=True)
    sockets = folder / ".ragline/run"
    sockets.unlink() if sockets.is_symlink() else shutil.rmtree(sockets, ignore_errors=True)
    return Home(folder, None)


@contextmanager
def opened(home: Home) -> Iterator[str]:
    with embedded_postgres(home.folder / ".ragline") as url:
        yield url


def has_begun(home: Home) -> bool:
    """Whether the build has registered its generation."""
    return has_rows(embedded_url(home), "ragline.generations where state = 'building'")


def read_content(url: str) -> list[Any]:
    found = [query(url, statement) for statement in (ENTRIES, LEXEMES, COUNTS, INDEXES)]
    content = json.loads(json.dumps(found))
    assert isinstance(content, list)
    return content


def count_vectors(url: str) -> int:
    ((count,),) = query(url, VECTORS)
    return int(count)


@pytest.mark.parametrize("victim", ["process", "backend"])
@pytest.mark.parametrize("seed", range(choose_count(1, 5)))
def test_killed_build_continues_and_equals_an_undisturbed_one(
    base: Path, undisturbed: Built, tmp_path: Path, victim: str, seed: int
) -> None:
    times = draw_times(f"build {victim} {seed}", 0.7 * undisturbed.seconds)
    home = disturb(base, tmp_path, times, victim)
    with opened(home) as url:
        kept = count_vectors(url)
        states = [state for state, *_ in query(url, COUNTS)]
    assert states in (["live", "building"], ["live", "candidate"])
    report = home.read("generation", "build", "notes")
    LOG.info("%d vectors kept, %d made", kept, report["embeddings_made"])
    assert kept + report["embeddings_made"] == undisturbed.vectors
    assert report["state"] == "candidate"
    with opened(home) as url:
        assert read_content(url) == undisturbed.content
        assert count_vectors(url) == undisturbed.vectors


def disturb(base: Path, folder: Path, times: Any, victim: str) -> Home:
    """A home whose build was killed; builds that ended before are discarded."""
    for attempt, kill_time in enumerate(times):
        home = copy_home(base, folder / f"{attempt}")
        process = home.start("generation", "build", "notes", "--json")
        try:
            wait_until(lambda home=home: has_begun(home), process)
            time.sleep(kill_time)
            was_hit = kill(home, process, times.random, victim)
        finally:
            ending = wait_for_end(process)
        if was_hit and (victim == "backend" or ending.status == -signal.SIGKILL):
            LOG.info("killed %.2f of %.2f s in", kill_time, times.length_s)
            assert "Traceback" not in ending.said
            if victim == "backend" and ending.status:
                assert (
                    "DatabaseUnavailableError" in ending.said or "DatabaseStarting" in ending.said
                )
            return home
    pytest.fail(f"{ATTEMPTS} builds ended before they could be killed")


def kill(home: Home, process: CommandProcess, chance: random.Random, victim: str) -> bool:
    # A backend that is killed while the server stops can keep Postgres 18 from ending.
    if victim == "backend":
        return has_begun(home) and kill_one(chance, list_servers(home, "backend"))
    process.kill()
    return True


@pytest.mark.parametrize("part", ["tables", "log"])
def test_build_on_a_full_disk_continues_after_there_is_space(
    base: Path, undisturbed: Built, tmp_path: Path, part: str
) -> None:
    """Without space for a table, a statement fails. Without space for its log, Postgres ends."""
    with mount_disk(tmp_path / "disk", 160) as disk:
        home = copy_home(base, disk)
        with opened(home) as url:
            database = connect_database(url)
            hits, live_vectors = search(database, home), count_vectors(url)
            if part == "log":
                use_log(url)
            ballast = fill_disk(disk, LEFT_BYTES[part])
            ending = wait_for_end(home.start("generation", "build", "notes", "--json"))
            check_full_disk(ending, f"the disk of {disk}/.ragline")
            if part == "tables":
                assert search(database, home) == hits
            ballast.unlink()
            database.engine.dispose()
        with opened(home) as url:
            assert [state for state, *_ in query(url, COUNTS)] == ["live", "building"]
            kept = count_vectors(url)
        report = home.read("generation", "build", "notes")
        LOG.info("%d vectors kept, %d made", kept, report["embeddings_made"])
        assert kept + report["embeddings_made"] == undisturbed.vectors
        assert part == "tables" or live_vectors < kept < undisturbed.vectors
        with opened(home) as url:
            assert read_content(url) == undisturbed.content


def use_log(url: str) -> None:
    """Write to the log of Postgres until only LEFT_LOG_BYTES are left in its last file."""
    query(url, "select pg_switch_wal()")
    ((used,),) = query(url, "select pg_current_wal_lsn() - '0/0'")
    written = LOG_FILE_BYTES - LEFT_LOG_BYTES - int(used) % LOG_FILE_BYTES
    query(url, f"select pg_logical_emit_message(true, 'test', repeat('0', {written}))")


def check_full_disk(ending: Ending, disk: str) -> None:
    """The command ended with one line that says what happened, where, and what to do."""
    assert ending.status == 1
    assert "DatabaseDiskFullError: the embedded Postgres in" in ending.said
    assert f"free space on {disk}" in ending.said
    assert "then run the command again (docs/runbooks/disk-full.md)" in ending.said
    assert "Traceback" not in ending.said


def search(database: Database, home: Home, words: str = "lighthouse") -> list[str]:
    configuration = load_configuration(home.folder / "ragline.yaml")
    request = SearchRequest("notes", words, mode="keyword")
    return [hit.document_id for hit in Searcher(database, configuration).search(request).hits]


def test_live_index_receives_changes_while_the_new_one_has_no_space(
    base: Path,
    tree: Path,
    tmp_path: Path,
    embedder: Embedder,
    run_stages: Callable[[RunContext], dict[str, object]],
) -> None:
    """The disk of a tablespace is full, and the other disk of Postgres has space."""
    home = copy_home(base, tmp_path / "home")
    notes = tmp_path / "notes.jsonl"
    shutil.copy(tree / "notes.jsonl", notes)
    (home.folder / "ragline.yaml").write_text(CONFIGURATION.format(tree=tmp_path, max_tokens=48))
    configuration = load_configuration(home.folder / "ragline.yaml")
    with mount_disk(tmp_path / "disk", 8) as disk, opened(home) as url:
        use_tablespace(home, url, disk)
        database = connect_database(url)

        def sync(run_id: str) -> IndexReport:
            run_context = RunContext(configuration, database, run_id)
            run_context.models.add_embedder(embedder.space.model, embedder)
            report = run_stages(run_context)["notes"]
            assert isinstance(report, IndexReport)
            return report

        ballast = fill_disk(disk, 200_000)
        ending = wait_for_end(home.start("generation", "build", "notes", "--json"))
        check_full_disk(ending, "the disk of the tablespace")
        lines = notes.read_text("utf-8").splitlines()
        added = json.dumps({"_id": "new", "text": "A walrus sleeps."})
        notes.write_text("\n".join([*lines[1:], added]), "utf-8")
        sync("full")
        assert search(database, home, "walrus") == ["new"]
        assert "000" not in search(database, home, '"Note 0"')
        ((alarm, said),) = read_alarms(database)
        assert alarm == "generation_build_failed"
        assert "free space on the disk of the tablespace" in said
        ballast.unlink()
        assert sync("free").error is None
        assert read_alarms(database) == []
        assert list_faults(database, configuration) == ()
        database.engine.dispose()


def use_tablespace(home: Home, url: str, disk: Path) -> None:
    """Let new tables of the database be on another disk."""
    folder = disk / "space"
    folder.mkdir()
    owner = (home.folder / ".ragline/postgres").stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create tablespace small location '{folder}'".encode())
        connection.execute("alter database ragline set default_tablespace = small")


def read_alarms(database: Database) -> list[tuple[str, str]]:
    status = read_status(database)
    collections = [alarm for one in status.collections for alarm in one.alarm_details]
    sources = [alarm for one in status.sources for alarm in one.alarm_details]
    return [(alarm.name, alarm.text) for alarm in [*collections, *sources]]


def list_faults(database: Database, configuration: Configuration) -> tuple[str, ...]:
    """What does not agree with the ledger in the complete candidate."""
    with database.connect() as connection:
        (candidate,) = (
            one for one in list_undropped(connection, "notes") if one.state == "candidate"
        )
    return prove_candidate(database, configuration, "notes", candidate).faults
