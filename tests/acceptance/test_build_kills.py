"""Kill -9 during `ragline generation build`: the next build ends in the generation of an
undisturbed build, and embeds only what the killed one left.

What is killed: the building process, or a backend of Postgres. RAGLINE_SOAK kills each of them five
times; the ordinary run, once. A full disk ends a build too.
"""

from __future__ import annotations

import json
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

import pytest
from command_process import CommandProcess
from killed_commands import (
    ATTEMPTS,
    LOG,
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

from ragline.configuration import load_configuration
from ragline.embedder.embedder import Embedder
from ragline.lifecycle.run_context import RunContext
from ragline.storage.database import connect_database
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
