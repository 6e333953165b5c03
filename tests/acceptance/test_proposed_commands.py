"""Each command that a message proposes works in the state in which the message is printed.

A test brings a collection into a state and reads the messages of `ragline status`, `plan`, `check`,
`generation list` and `generation show`. Then it runs each proposed command in a copy of the
database. Commands that a message joins with `then` run one after the other.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from database_copies import DatabaseServer, SharedDatabase, read_database_name
from planted_candidates import CONFIGURATION, share_collection
from ragline_home import Home
from sqlalchemy import make_url

from ragline.embedder.embedder import Embedder
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.session_locks import LockKind, SessionLock
from ragline.storage.database import connect_database

pytestmark = pytest.mark.timeout(900)
PROPOSAL = re.compile(r"`(ragline [^`]+)`")
BY = ("--reason", "test", "--by", "ada")
# Changes of the configuration.
CHUNKING = ("overlap_tokens: 5", "overlap_tokens: 6")
SEARCH = ("golden: ./golden\n", "golden: ./golden\n    search: {vector_weight: 0.6}\n")
STRICT = ("golden: ./golden\n", "golden: ./golden\n    gate: {min_queries: 1000}\n")
STRICT_SEARCH = (
    STRICT[0], f"{STRICT[1]}    search: {{vector_weight: 0.6}}\n",
)  # fmt: skip
APPROVAL = ("golden: ./golden\n", "golden: ./golden\n    approval: required\n")
STRICT_APPROVAL = (STRICT[0], f"{STRICT[1]}    approval: required\n")
NO_GOLDEN = ("    golden: ./golden\n", "")
AUTOMATIC = ("name: notes\n", "name: notes\n    build: automatic\n")
UNKNOWN_LANGUAGE = ("golden: ./golden\n", "golden: ./golden\n    language: klingon\n")
END_GRACE = (
    "update ragline.generations set retired_at = retired_at - interval '25 hours' "
    "where retired_at is not null"
)


@dataclass
class Site:
    """A collection in a folder and a database of its own."""

    home: Home
    server: DatabaseServer
    url: str

    def use(self, *changes: tuple[str, str]) -> None:
        """Write the configuration with these changes only."""
        content = CONFIGURATION
        for old, new in changes:
            assert old in content
            content = content.replace(old, new)
        (self.home.folder / "ragline.yaml").write_text(content, encoding="utf-8")

    def run(self, *arguments: str, status: int = 0) -> None:
        self.home.run(*arguments, status=status)

    def execute(self, *statements: str) -> None:
        with psycopg.connect(make_url(self.url).set(drivername="postgresql").render_as_string(
            hide_password=False)) as connection:  # fmt: skip
            for statement in statements:
                connection.execute(statement.encode())

    def build(self, *changes: tuple[str, str]) -> None:
        self.use(*changes)
        self.run("generation", "build", "notes", *BY)

    def force(self, target: str) -> None:
        self.run("generation", "promote", target, "--force", *BY)

    def read_messages(self) -> list[str]:
        """The lines of all messages about the state, and the next command of the plan."""
        asked = [("status",), ("check",), ("generation", "list"), ("plan", "--json")]
        listed = self.home.read("generation", "list", "--all")["generations"]
        asked += [("generation", "show", str(one["id"])) for one in listed[-1:]]
        lines: list[str] = []
        for arguments in asked:
            process = self.home.start(*arguments)
            out, err = process.communicate(timeout=300)
            if arguments[0] == "plan":
                (plan,) = json.loads(out)["collections"]
                lines += [*plan["warnings"], *plan["prevented_by"], f"`{plan['command']}`"]
            else:
                lines += f"{out}{err}".splitlines()
        return lines

    def read_proposals(self) -> list[tuple[str, ...]]:
        """The proposed commands, without repetitions; joined ones are in one tuple."""
        found: dict[tuple[str, ...], None] = {}
        for line in self.read_messages():
            parts = PROPOSAL.split(line)
            chain: tuple[str, ...] = ()
            for text, command in zip(parts[::2], parts[1::2], strict=False):
                is_joined = chain and re.search(r"\bthen\b", text)
                chain = (*chain, command) if is_joined else (command,)
                found[chain] = None
        return list(found)

    def try_out(self, chain: tuple[str, ...]) -> None:
        """Run commands one after the other in a copy of the database."""
        with self.server.copy(read_database_name(self.url)) as copy:
            home = Home(self.home.folder, copy)
            for command in chain:
                process = home.start(*shlex.split(command)[1:])
                out, err = process.communicate(timeout=300)
                name = command.split()[1]
                # The status of a gate is its verdict, and `check` reports the fault of a file.
                is_done = process.returncode == 0 or (
                    name == "gate" and re.search(r"report \d+$", out.strip())
                ) or (name == "check" and "notes" in err)  # fmt: skip
                assert is_done, f"{command}: {out}{err}"


@pytest.fixture(scope="session")
def synced(
    database_server: DatabaseServer,
    template: str,
    embedder: Embedder,
    run_stages: Callable[[RunContext], dict[str, Any]],
) -> SharedDatabase:
    """The collection with its first generation live."""
    return share_collection(
        database_server, "proposed", template, CONFIGURATION, embedder, run_stages
    )


@pytest.fixture
def site(
    synced: SharedDatabase, database_server: DatabaseServer, tmp_path: Path, model_cache: Path
) -> Iterator[Site]:
    for name in ("golden", "coast.jsonl", "town.jsonl", "hills.jsonl", "ragline.yaml"):
        (tmp_path / name).symlink_to(synced.folder / name)
    (tmp_path / "ragline.yaml").unlink()
    (tmp_path / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (tmp_path / ".ragline" / "models").symlink_to(model_cache)
    with database_server.copy(synced.name) as url:
        made = Site(Home(tmp_path, url), database_server, url)
        made.use()
        yield made


def promote_second(site: Site, *changes: tuple[str, str]) -> None:
    """Build generation 2 without a golden set, and promote it."""
    site.build(CHUNKING, NO_GOLDEN)
    site.run("generation", "promote", "2", *BY)
    site.use(*changes)


def change_settings(site: Site) -> None:
    site.use(CHUNKING)


def change_search(site: Site) -> None:
    site.use(SEARCH)


def change_search_without_golden_set_with_a_candidate(site: Site) -> None:
    site.build(CHUNKING)
    site.use(NO_GOLDEN, ("name: notes\n", "name: notes\n    search: {vector_weight: 0.6}\n"))


def judge_search(site: Site) -> None:
    site.use(STRICT_SEARCH)
    site.run("gate", "notes", status=2)


def interrupt_build(site: Site) -> None:
    site.build(CHUNKING)
    site.execute(*(
        f"update ragline.generations set state = '{state}' where id = 2"
        for state in ("abandoned", "building")
    ))  # fmt: skip


def build_candidate(site: Site) -> None:
    site.build(CHUNKING)


def build_automatic_candidate(site: Site) -> None:
    site.build(CHUNKING, AUTOMATIC)


def build_candidate_without_golden_set(site: Site) -> None:
    site.build(CHUNKING, NO_GOLDEN)


def pass_candidate(site: Site) -> None:
    site.build(CHUNKING)
    site.run("gate", "notes")


def refuse_by_gate(site: Site) -> None:
    site.build(CHUNKING)
    site.execute("delete from ragline.entries_2 where mod(id, 3) = 0")
    site.run("gate", "notes", status=1)


def refuse_by_gate_in_sync(site: Site) -> None:
    site.build(CHUNKING, STRICT, AUTOMATIC)
    # The status of the sync is not the subject of this test.
    site.home.start("sync").communicate(timeout=600)


def refuse_by_gate_with_approval(site: Site) -> None:
    site.build(CHUNKING, STRICT_APPROVAL)
    site.run("gate", "notes", status=2)


def require_approval(site: Site) -> None:
    site.build(CHUNKING, APPROVAL)
    site.run("gate", "notes")


def require_approval_without_report(site: Site) -> None:
    site.build(CHUNKING, NO_GOLDEN, ("name: notes\n", "name: notes\n    approval: required\n"))


def require_approval_in_automatic_mode(site: Site) -> None:
    site.build(CHUNKING, APPROVAL, AUTOMATIC)
    site.run("gate", "notes")


def refuse_by_decision(site: Site) -> None:
    site.build(CHUNKING)
    site.run("generation", "refuse", "2", *BY)


def build_refused_again(site: Site) -> None:
    refuse_by_decision(site)
    site.run("generation", "build", "notes", *BY)


def return_to_retired(site: Site) -> None:
    promote_second(site)


def return_to_retired_after_grace(site: Site) -> None:
    promote_second(site)
    site.execute(END_GRACE)
    site.run("sync")


def return_to_dropped(site: Site) -> None:
    promote_second(site, CHUNKING)
    site.execute(END_GRACE)
    site.run("sync")
    site.use()


def force_live(site: Site) -> None:
    site.build(CHUNKING)
    site.force("2")


def force_live_and_drop_the_retired(site: Site) -> None:
    force_live(site)
    site.run("generation", "drop", "1")


def force_search(site: Site) -> None:
    judge_search(site)
    site.force("1")


def roll_back(site: Site) -> None:
    promote_second(site, CHUNKING)
    site.run("generation", "rollback", "notes", *BY)


def roll_back_search(site: Site) -> None:
    force_search(site)
    site.run("generation", "rollback", "notes", *BY)


def ask_for_unknown_language(site: Site) -> None:
    site.use(UNKNOWN_LANGUAGE)


STATES = {
    change_settings: "ragline generation build notes",
    change_search: "ragline gate notes --candidate 1",
    change_search_without_golden_set_with_a_candidate: "ragline generation promote 1",
    judge_search: "ragline gate notes --candidate 1",
    interrupt_build: "ragline generation build notes",
    build_candidate: "ragline gate notes --candidate 2",
    build_automatic_candidate: "ragline sync coast town hills",
    build_candidate_without_golden_set: "ragline generation promote 2",
    pass_candidate: "ragline generation promote 2",
    refuse_by_gate: "ragline generation refuse 2 --reason …",
    refuse_by_gate_in_sync: "ragline generation refuse 2 --reason …",
    refuse_by_gate_with_approval: "ragline generation refuse 2 --reason …",
    require_approval: "ragline generation approve 2 --report 1 --reason … --by …",
    require_approval_without_report: "ragline gate notes --candidate 2",
    require_approval_in_automatic_mode: (
        "ragline generation approve 2 --report 1 --reason … --by …"
    ),
    refuse_by_decision: "ragline generation build notes",
    build_refused_again: "ragline gate notes --candidate 2",
    return_to_retired: "ragline generation promote 1",
    return_to_retired_after_grace: "ragline generation promote 1",
    return_to_dropped: "ragline generation build notes",
    force_live: "ragline generation rollback notes",
    force_live_and_drop_the_retired: None,
    force_search: "ragline generation rollback notes",
    roll_back: "ragline generation promote 2",
    roll_back_search: "ragline gate notes --candidate 1",
    ask_for_unknown_language: None,
}


@pytest.mark.parametrize("reach", STATES, ids=lambda reach: reach.__name__)
def test_each_proposed_command_works(site: Site, reach: Callable[[Site], None]) -> None:
    reach(site)
    proposed = site.read_proposals()
    expected = STATES[reach]
    assert expected is None or (expected,) in proposed
    for chain in proposed:
        site.try_out(chain)


def test_nothing_is_proposed_if_the_live_generation_has_the_settings(site: Site) -> None:
    assert site.read_proposals() == []


def test_first_sync_is_proposed_and_works(
    tmp_path: Path, database_server: DatabaseServer, template: str, synced: SharedDatabase,
    model_cache: Path,
) -> None:  # fmt: skip
    for name in ("golden", "coast.jsonl", "town.jsonl", "hills.jsonl", "ragline.yaml"):
        (tmp_path / name).symlink_to(synced.folder / name)
    (tmp_path / ".ragline").mkdir()
    (tmp_path / ".ragline" / "models").symlink_to(model_cache)
    with database_server.copy(template) as url:
        site = Site(Home(tmp_path, url), database_server, url)
        proposed = site.read_proposals()
        assert set(proposed) == {("ragline sync",), ("ragline sync coast town hills",)}
        for chain in proposed:
            site.try_out(chain)


def test_running_build_is_no_decision_and_starts_no_second_one(site: Site) -> None:
    interrupt_build(site)
    database = connect_database(site.url)
    lock = SessionLock(database, LockKind.BUILD, "notes")
    assert lock.acquire("ragline build-1", 0.0)
    try:
        assert site.read_proposals() == []
        assert any("ragline build-1 builds a generation" in one for one in site.read_messages())
        # Other settings: their build must wait.
        site.use(("overlap_tokens: 5", "overlap_tokens: 7"))
        messages = "\n".join(site.read_messages())
        assert "`ragline generation build notes` when the build by ragline build-1 has ended" in (
            messages
        )
    finally:
        lock.release()
        database.engine.dispose()
