"""The commands of the lifecycle as a script and as a person call them, with their exit statuses.

They run in this process, through the function that `ragline` is: a start costs seconds, and one
through the shell is tests/acceptance/test_sync_command.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_process import start_command
from database_copies import DatabaseServer, SharedDatabase

from ragline.commands import QUIET, main

# Great Expectations, which each sync runs, imports what Python has deprecated, and has advice.
pytestmark = [
    pytest.mark.filterwarnings("ignore:module 'sre_"),
    pytest.mark.filterwarnings("ignore:You are using a generic SQLDatasource"),
]

CONFIGURATION = """\
collections:
  - name: notes
sources:
  - {name: note-files, collection: notes, kind: files, uri: ./notes}
"""
BROKEN = b"%PDF-1.7 and then nothing"
EMPTY = b"\n"


class CommandLine:
    """`ragline` in the folder of a configuration, and what it said."""

    def __init__(self, folder: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.url = url
        self._capsys = capsys
        self.errors = ""

    def run(self, *arguments: str, status: int = 0) -> str:
        self._capsys.readouterr()
        sys.argv = ["ragline", *arguments]
        try:
            main()
            ended = 0
        except SystemExit as stop:
            ended = int(stop.code or 0)
        said, self.errors = self._capsys.readouterr()
        assert ended == status, self.errors or said
        return said

    def read(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", status=status))

    def write(self, name: str, content: bytes) -> None:
        (self.folder / "notes" / name).write_bytes(content)

    def states(self) -> dict[str, str]:
        rows = [json.loads(line) for line in self.run("documents").splitlines()]
        return {row["document_id"]: row["state"] for row in rows}

    def find(self, query: str) -> list[str]:
        return [hit["document_id"] for hit in self.read("search", "notes", query)["hits"]]

    def plant(self, statement: str) -> None:
        """Do what Ragline would never do."""
        with psycopg.connect(self.url) as connection:
            assert connection.execute(statement.encode()).rowcount > 0


def write_documents(folder: Path) -> None:
    """Write the configuration and two documents."""
    (folder / "ragline.yaml").write_text(CONFIGURATION, "utf-8")
    (folder / "notes").mkdir()
    (folder / "notes" / "harbour.md").write_bytes(b"# Harbour\n\nThe ferry leaves at seven.\n")
    (folder / "notes" / "tea.md").write_bytes(b"# Tea\n\nTea is picked by hand.\n")


@pytest.fixture(scope="module")
def synced_notes(
    database_server: DatabaseServer, template: str, model_cache: Path
) -> SharedDatabase:
    """Two documents that are fine, one that is damaged and one that is refused, after a sync."""

    def fill(folder: Path, url: str) -> None:
        write_documents(folder)
        (folder / "notes" / "broken.pdf").write_bytes(BROKEN)
        (folder / "notes" / "empty.md").write_bytes(EMPTY)
        (folder / ".ragline").mkdir()
        (folder / ".ragline" / "models").symlink_to(model_cache)
        environment = {**os.environ, **QUIET, "RAGLINE_DATABASE_URL": url}
        with start_command(["sync"], folder, environment) as command:
            _, errors = command.communicate(timeout=300)
        assert command.returncode == 0, errors

    model_cache.mkdir(exist_ok=True)
    return database_server.share("commands", template, fill)


@pytest.fixture
def open_command_line(
    tmp_path: Path,
    model_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[str], CommandLine]:
    """Opens the command line in the folder of the test, with a database."""

    def open_it(url: str) -> CommandLine:
        if not (tmp_path / ".ragline").exists():
            (tmp_path / ".ragline").mkdir()
            model_cache.mkdir(exist_ok=True)
            (tmp_path / ".ragline" / "models").symlink_to(model_cache)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", sys.argv)
        for name, value in {**QUIET, "RAGLINE_DATABASE_URL": url, "COLUMNS": "300"}.items():
            monkeypatch.setenv(name, value)
        return CommandLine(tmp_path, url, capsys)

    return open_it


@pytest.fixture
def ragline(
    tmp_path: Path, database_url: str, open_command_line: Callable[[str], CommandLine]
) -> CommandLine:
    """Two documents, before the first sync."""
    write_documents(tmp_path)
    return open_command_line(database_url)


@pytest.fixture
def synced(
    tmp_path: Path,
    database_server: DatabaseServer,
    synced_notes: SharedDatabase,
    open_command_line: Callable[[str], CommandLine],
) -> Iterator[CommandLine]:
    """After a sync of two documents that are fine, one that is damaged and one that is refused."""
    shutil.copytree(synced_notes.folder, tmp_path, dirs_exist_ok=True, symlinks=True)
    with database_server.copy(synced_notes.name) as url:
        ragline = open_command_line(url)
        assert ragline.states() == {
            "harbour.md": "ready",
            "broken.pdf": "failed",
            "empty.md": "quarantined",
            "tea.md": "ready",
        }
        yield ragline


def test_retried_documents_are_read_in_the_next_sync(synced: CommandLine):
    synced.run("sync", "note-files")
    assert attempts(synced, "broken.pdf") == 1
    named = {"source": "note-files", "document_id": "broken.pdf"}
    assert synced.read("retry") == {"retried": [named]}
    assert synced.read("retry", "note-files", "broken.pdf") == {"retried": [named]}
    assert synced.run("retry", "note-files", "broken.pdf", "harbour.md", status=2) == ""
    assert synced.errors.startswith(
        "UnsuitableDocumentError: these documents of note-files are not failed or do not exist: "
        "'harbour.md'"
    )
    assert synced.run("retry", "note-files").splitlines() == [
        "note-files: broken.pdf",
        "1 document will be read again in the next sync",
    ]
    synced.run("sync", "note-files")
    assert attempts(synced, "broken.pdf") == 2
    assert synced.run("retry", "nothing", status=2) == ""
    assert synced.errors == ("UnknownSourceError: unknown source 'nothing'; known: note-files\n")


def attempts(command_line: CommandLine, document_id: str) -> int:
    with psycopg.connect(command_line.url) as connection:
        row = connection.execute(
            "select attempts from ragline.documents where document_id = %s", (document_id,)
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_quarantine_is_listed_with_reasons_and_released_by_name(synced: CommandLine):
    (listed,) = synced.read("quarantine", "list")["quarantined"]
    assert (listed["source"], listed["document_id"]) == ("note-files", "empty.md")
    assert (listed["error_name"], listed["attempts"]) == ("EmptyDocumentError", 1)
    assert synced.run("quarantine", "list", "note-files").splitlines() == [
        f"note-files: empty.md: EmptyDocumentError: {listed['error']}",
        "1 document is quarantined",
    ]
    released = synced.read("quarantine", "release", "note-files", "empty.md")
    assert released == {"released": [{"source": "note-files", "document_id": "empty.md"}]}
    assert synced.states()["empty.md"] == "pending"
    assert synced.run("quarantine", "release", "note-files", "empty.md", status=2) == ""
    assert "not quarantined" in synced.errors
    assert synced.run("quarantine", "release", "note-files", "--all").splitlines() == [
        "0 documents will be read again in the next sync"
    ]
    synced.run("sync", "note-files")
    assert synced.states()["empty.md"] == "quarantined"


WRONG_CALLS = {
    "release of nothing": (("quarantine", "release", "note-files"), "name the documents"),
    "release of a name and all": (
        ("quarantine", "release", "note-files", "empty.md", "--all"),
        "name the documents",
    ),
    "release without a source": (("quarantine", "release"), "Missing argument 'SOURCE'"),
    "remove without a source": (("remove", "--yes"), "Missing argument 'SOURCE'"),
    "remove without a way to ask": (("remove", "note-files", "--json"), "give --yes"),
    "confirmation without a source": (("confirm-removals",), "Missing argument 'SOURCE'"),
    "collect of a name": (("collect", "note-files"), "unexpected extra argument"),
    "an unknown option": (("retry", "--everything"), "No such option"),
    "an option of other tools": (
        ("search", "notes", "tea", "--limit", "3"),
        "Did you mean '--top-k'?",
    ),
    "a short option": (("explain", "notes", "tea", "a.md", "-k", "3"), "Did you mean '--top-k'?"),
}


@pytest.mark.parametrize("call", WRONG_CALLS)
def test_wrong_call_is_reported_and_exits_with_two(ragline: CommandLine, call: str):
    arguments, expected = WRONG_CALLS[call]
    assert ragline.run(*arguments, status=2) == ""
    assert expected in ragline.errors


@pytest.mark.parametrize(
    "call",
    [
        ("quarantine", "list", "nothing"),
        ("quarantine", "release", "nothing", "--all"),
        ("remove", "nothing", "--yes"),
        ("prove", "nothing"),
        ("sync", "nothing"),
        ("documents", "nothing"),
    ],
)
def test_unknown_source_exits_with_two(ragline: CommandLine, call: tuple[str, ...]):
    assert ragline.run(*call, status=2) == ""
    assert ragline.errors.startswith("UnknownSourceError: ")
    assert "'nothing'" in ragline.errors


def test_removed_source_leaves_a_receipt_and_is_read_again_while_configured(synced: CommandLine):
    assert "harbour.md" in synced.find("when does the ferry leave")
    receipt = synced.read("remove", "note-files", "--yes")
    assert (receipt["source"], receipt["collection"]) == ("note-files", "notes")
    assert (receipt["counts"]["documents"], receipt["counts"]["entries"]) == (4, 2)
    assert synced.find("when does the ferry leave") == []
    assert synced.states() == {}
    assert synced.read("status")["sources"] == []

    assert synced.read("sync")["sources"]["note-files"]["added"] == 4
    assert synced.find("when does the ferry leave")[0] == "harbour.md"

    said = synced.run("remove", "note-files", "--yes").splitlines()
    assert f"receipt {receipt['id'] + 1}: note-files forgotten at " in said[0]
    assert "2 entries" in said[0]
    assert said[1].endswith("names note-files: delete it there, or the next sync reads it again")


def test_no_source_is_removed_without_a_confirmation(
    synced: CommandLine, monkeypatch: pytest.MonkeyPatch
):
    for answer in ("", "no\n"):
        monkeypatch.setattr(sys, "stdin", StringIO(answer))
        synced.run("remove", "note-files", status=130)
    assert synced.states()["harbour.md"] == "ready"


def test_proof_names_a_planted_fault_and_the_next_sync_repairs_it(synced: CommandLine):
    (proof,) = synced.read("prove")["proofs"]
    assert (proof["source"], proof["holds"], proof["hashed_documents"]) == ("note-files", True, 2)

    synced.plant("delete from ragline.entries_1 where document_id = 'harbour.md'")
    (proof,) = synced.read("prove", "note-files", status=1)["proofs"]
    assert not proof["holds"]
    assert {difference["document_id"] for difference in proof["differences"]} == {"harbour.md"}
    assert "differences between source, ledger and index" in synced.run("status")

    synced.plant("delete from ragline.entries_1 where document_id = 'tea.md'")
    said = synced.run("prove", status=1).splitlines()
    assert said[0].startswith("note-files: tea.md: ")
    assert said[-1].startswith("note-files: 4 documents, ")

    synced.run("sync")
    assert synced.run("prove").splitlines() == [
        "note-files: 4 documents, 2 of them hashed, 2 entries: 0 differences"
    ]
    assert "harbour.md" in synced.find("when does the ferry leave")


def test_proof_of_an_unreachable_source_is_incomplete(synced: CommandLine):
    (synced.folder / "notes").rename(synced.folder / "elsewhere")
    said = synced.run("prove", "note-files", status=1)
    assert said.startswith("note-files: not listed: ")
    assert "no such folder" in said
    assert synced.states()["harbour.md"] == "ready"


def test_collect_deletes_data_after_its_retention_time(synced: CommandLine):
    (synced.folder / "notes" / "harbour.md").unlink()
    synced.run("sync", "note-files")
    deleted = synced.read("collect")["deleted"]
    assert set(deleted.values()) == {0}
    assert synced.states()["harbour.md"] == "removed"
    synced.plant(
        "update ragline.documents set removed_at = removed_at - interval '31 days' "
        "where document_id = 'harbour.md'"
    )
    said = [line.split(maxsplit=1) for line in synced.run("collect").splitlines()]
    counts = {name: int(count) for count, name in said}
    assert counts.keys() == {name.replace("_", " ") for name in deleted}
    assert counts["tombstones"] == 1
    assert "harbour.md" not in synced.states()


def test_status_prints_states_failures_and_clocks(synced: CommandLine):
    said = [" ".join(line.split()) for line in synced.run("status").splitlines()]
    assert said[:3] == [
        "collection notes",
        "index generation 1, 2 documents, 2 entries",
        "model sentence-transformers/all-MiniLM-L6-v2",
    ]
    assert said[3] == "source note-files, collection notes"
    assert said[4] == "documents 2 ready, 1 failed, 1 quarantined; 2 entries"
    assert re.fullmatch(r"listed \d+s ago", said[5])
    assert said[6].startswith("visible kept, limit 10m")
    assert said[7] == "forgotten kept, limit 10m"
    assert any(line.startswith("failed note-files: broken.pdf: ") for line in said)
    assert any("quarantined note-files: empty.md: the file is empty" in line for line in said)


def test_piped_lines_are_not_wrapped(synced: CommandLine, monkeypatch: pytest.MonkeyPatch):
    wide = {command: synced.run(*command) for command in (("status",), ("search", "notes", "tea"))}
    monkeypatch.setenv("COLUMNS", "20")
    for command, said in wide.items():
        narrow = synced.run(*command)
        assert len(narrow.splitlines()) == len(said.splitlines()), command
        assert max(map(len, narrow.splitlines())) > 80


def test_status_before_the_first_sync_says_what_to_do(ragline: CommandLine):
    assert ragline.run("status") == "nothing was synced yet; run `ragline sync`\n"
    assert ragline.read("status") == {"sources": [], "collections": []}


def test_status_names_a_source_that_left_the_configuration(synced: CommandLine):
    (synced.folder / "ragline.yaml").write_text("collections: [{name: notes}]\n", "utf-8")
    said = synced.run("status")
    assert "is not configured any more" in said
    assert "ragline remove note-files" in said


def test_export_has_source_title_and_model_and_is_complete_or_absent(synced: CommandLine):
    synced.run("export", "notes", "--out", "notes.jsonl")
    rows = [json.loads(line) for line in Path("notes.jsonl").read_text("utf-8").splitlines()]
    assert [(row["source"], row["document_id"], row["title"]) for row in rows] == [
        ("note-files", "harbour.md", "Harbour"),
        ("note-files", "tea.md", "Tea"),
    ]
    assert {row["model"] for row in rows} == {"sentence-transformers/all-MiniLM-L6-v2"}

    synced.run("export", "notez", "--out", "other.jsonl", status=2)
    assert synced.errors == (
        "UnknownCollectionError: unknown collection 'notez'; known: notes (did you mean 'notes'?)\n"
    )
    # A limit on the size of files is met as a full disk is.
    command = f"ulimit -f 1; exec {sys.executable} -m ragline export notes --out full.jsonl"
    full = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (full.returncode, full.stdout) == (1, "")
    assert full.stderr == ("FileNotWrittenError: full.jsonl could not be written: File too large\n")
    assert (
        not list(Path().glob("*other*")) + list(Path().glob("*full*")) + list(Path().glob(".*un*"))
    )


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("nodir/x.jsonl", "cannot write nodir/x.jsonl: there is no folder "),
        ("x.csv", "cannot export to x.csv: the ending must be .jsonl or .parquet"),
        ("notes", "is a directory"),
    ],
)
def test_export_path_that_cannot_be_written_is_one_line_before_anything_starts(
    ragline: CommandLine, out: str, said: str
):
    assert ragline.run("export", "notes", "--out", out, status=2) == ""
    assert said in ragline.errors
    assert "Traceback" not in ragline.errors


def configure(ragline: CommandLine, **settings: Any) -> None:
    """Add settings to the collection of the configuration."""
    lines = "".join(f"\n    {name}: {value}" for name, value in settings.items())
    changed = CONFIGURATION.replace("name: notes\n", f"name: notes{lines}\n", 1)
    (ragline.folder / "ragline.yaml").write_text(changed, "utf-8")


def test_plan_says_what_the_next_sync_builds(synced: CommandLine):
    assert "nothing to build: the live generation has these settings" in synced.run("plan")
    configure(synced, chunking="{max_tokens: 100}", language="german", build="automatic")
    said = synced.run("plan", "notes")
    assert "a second generation is built; the live one serves searches" in said
    assert "chunking.max_tokens: 200 -> 100" in said
    assert "language: english -> german" in said
    assert "next       ragline sync note-files" in said
    (plan,) = synced.read("plan")["collections"]
    assert (plan["action"], plan["live_generation"], plan["generation"]) == ("build", 1, None)
    # The damaged and the refused document have no parse.
    work = plan["work"]
    assert (work["documents"], work["chunks_to_make"], work["embeddings_reused"]) == (2, 2, 2)
    assert (work["embeddings_to_make"], work["is_estimate"]) == (0, False)
    report = synced.read("sync")["sources"]["note-files"]
    assert (report["chunks"], report["embeddings_made"]) == (2, 0)
    assert synced.read("plan")["collections"][0]["action"] == "none"


def test_plan_before_the_first_sync(ragline: CommandLine):
    said = ragline.run("plan")
    assert "the first generation is built" in said
    assert "not listed yet, so their documents are in no figure: note-files" in said


def test_plan_without_a_database_creates_none(
    ragline: CommandLine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("RAGLINE_DATABASE_URL")
    before = sorted(path.name for path in (ragline.folder / ".ragline").iterdir())
    (plan,) = ragline.read("plan")["collections"]
    assert (plan["action"], plan["work"]) == ("first_build", None)
    assert sorted(path.name for path in (ragline.folder / ".ragline").iterdir()) == before


def test_plan_of_a_database_without_tables_creates_none(ragline: CommandLine):
    with psycopg.connect(ragline.url) as connection:
        connection.execute("drop schema ragline cascade")
    (plan,) = ragline.read("plan")["collections"]
    assert (plan["action"], plan["work"]) == ("first_build", None)
    with psycopg.connect(ragline.url) as connection:
        found = connection.execute("select from pg_namespace where nspname = 'ragline'")
        assert found.fetchall() == []


def test_refused_settings_and_unknown_collections_exit_with_two(synced: CommandLine):
    assert synced.run("plan", "nots", status=2) == ""
    assert synced.errors.startswith("UnknownCollectionError: ")
    configure(synced, language="germn")
    said = synced.run("plan", status=2)
    assert "prevented: " in said
    assert "did you mean 'german'" in said
    (plan,) = synced.read("plan", status=2)["collections"]
    assert plan["command"] is None
    faults = synced.read("check", status=2)["faults"]
    errors = [fault["text"] for fault in faults if fault["severity"] == "error"]
    assert plan["prevented_by"] == errors


def test_plan_does_not_migrate_the_tables_of_an_older_release(ragline: CommandLine):
    ragline.plant("update ragline.alembic_version set version_num = '0001'")
    ragline.plant("update ragline.schema_revisions set version_num = '0001'")
    assert ragline.run("plan", status=1) == ""
    assert "the tables of an older release, and this command does not migrate" in ragline.errors
