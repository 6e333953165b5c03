"""Each tested condition raises one alarm. It is shown everywhere and ends with the condition.

The table is also in docs/alarms.md, and a test compares the two. An alarm is shown in the status,
in the freshness of the API, and as a Dagster check, computed by the functions of the sensor. The
second table has conditions without an alarm.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lifecycle_doubles import HashEmbedder, TreeRunContext, TreeSource, make_run_context, sync
from recorded_traffic import Traffic
from sqlalchemy import text

from assets.documents import PLAUSIBLE, REACHABLE
from assets.entry_checks import FORGOTTEN, FULL_PROOF, SYNCED, VISIBLE
from assets.promotion_check import KEEPS_QUALITY, NOT_FORCED, judge_promotion_checks
from dagster_project.sensors import judge_source_checks
from ragline.alarms import Alarm
from ragline.configuration import CollectionSettings, Configuration
from ragline.errors import (
    BrokenDocumentError,
    ConfigurationError,
    DocumentTooLargeError,
    DocumentUnreadableError,
    EmptyDocumentError,
    EncryptedDocumentError,
    ParserMemoryError,
    ParserTimeoutError,
    PermissionsUnavailableError,
    RaglineError,
    SourceUnavailableError,
    UnsupportedFormatError,
)
from ragline.lifecycle.blocking_checks import record_blocking_checks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.generation_builds import build_generation
from ragline.lifecycle.generation_decisions import (
    Decision,
    promote_candidate,
    refuse_generation,
    roll_back,
)
from ragline.lifecycle.ledger import record_reachable, record_unreachable
from ragline.lifecycle.refused_source_moves import refuse_moved_source
from ragline.lifecycle.requested_removals import confirm_removals
from ragline.lifecycle.session_locks import lock_source
from ragline.lifecycle.source_syncs import record_run_error
from ragline.lifecycle.sync_proof import prove_source
from ragline.rollout.promotion_watch import watch_collection
from ragline.sources.files.settings import FilesSettings
from ragline.sources.git.settings import GitSettings
from ragline.sources.records.settings import RecordsSettings
from ragline.sources.registry import open_source
from ragline.sources.settings import SourceSettings
from ragline.sources.sql.settings import SqlSettings
from ragline.sources.web.settings import WebSettings
from ragline.status import Status, read_status
from ragline.storage.statements import load_statement
from retrieval_api.access.callers import Caller
from retrieval_api.observation.pipeline_metrics import describe_status
from retrieval_api.operations.collections import describe_freshness
from retrieval_api.page.collection_states import list_alarms

ALARMS = Path(__file__).parents[2] / "docs" / "alarms.md"
NAMES = ("anna", "bert", "cleo", "dora")


@dataclass
class Bench:
    """A collection with a live index, its source, and how far the time of reading is ahead."""

    database: Any
    home: Path
    tree: TreeSource
    run_context: TreeRunContext
    settings: SourceSettings | None = None
    configured: set[str] = field(default_factory=lambda: {"tree"})
    ahead: timedelta = timedelta(0)
    is_watched: bool = True
    undo: list[Callable[[], object]] = field(default_factory=list)

    def sync(self) -> None:
        sync(self.run_context)

    def try_sync(self, run_id: str) -> None:
        self.run_context.run_id = run_id
        with suppress(RaglineError, OSError):
            self.sync()

    def prove(self) -> None:
        try:
            prove_source(self.run_context, "tree")
        finally:
            self.run_context.close()

    def execute(self, statement: str) -> None:
        with self.database.begin() as connection:
            connection.execute(text(statement))

    def stages(self, *stages: Callable[..., object]) -> None:
        """Run only some stages, then end the run."""
        try:
            for stage in stages:
                stage(self.run_context, "tree")
        finally:
            self.run_context.close()

    def change_settings(self, **changes: Any) -> None:
        """Change settings of the collection."""
        (collection,) = self.run_context.configuration.collections
        stated = CollectionSettings.model_validate({**collection.model_dump(), **changes})
        self.run_context.configuration = self.run_context.configuration.model_copy(
            update={"collections": (stated,)}
        )
        self.run_context.refusals.clear()

    def probe(self) -> None:
        """Probe the source as its sensor does."""
        assert self.settings is not None
        try:
            open_source(self.settings, self.home, self.database).probe()
        except SourceUnavailableError as error:
            record_unreachable(self.database, self.settings, str(error))
        else:
            record_reachable(self.database, self.settings.name, datetime.now(UTC))

    def read(self) -> Status:
        time = datetime.now(UTC) + self.ahead
        if self.is_watched:
            with self.database.begin() as connection:
                connection.execute(
                    text("update ragline.sources set proven_at = :time"), {"time": time}
                )
        return read_status(self.database, configured=self.configured, now=time)

    def list_alarms(self) -> list[Alarm]:
        status = self.read()
        return [
            alarm for one in (*status.sources, *status.collections) for alarm in one.alarm_details
        ]

    def read_api(self) -> dict[str, Any]:
        """The answer of the API about freshness, for the current time of the database."""
        sources = self.run_context.configuration.sources
        named = tuple(one for one in sources if one.name in self.configured)
        other = FilesSettings(name="other", collection="tree", kind="files", uri="/nowhere")
        configuration = Configuration(
            collections=self.run_context.configuration.collections,
            sources=(*named, other),
            home=self.home,
        )
        service: Any = SimpleNamespace(configuration=configuration, database=self.database)
        return describe_freshness("tree", Caller(service, None)).model_dump()

    def read_failed_checks(self) -> list[str]:
        """The checks that the sensor reports as failed."""
        status = self.read()
        results = [result for source in status.sources for result in judge_source_checks(source)]
        results += [
            result
            for collection in status.collections
            for result in judge_promotion_checks(collection)
        ]
        return [str(result.check_name) for result in results if not result.passed]


@pytest.fixture
def bench(database, tmp_path) -> Iterator[Bench]:
    tree = TreeSource()
    for name in NAMES:
        tree.write(f"{name}.md", f"What {name} has to say about conditions, in a few words. " * 4)
    run_context = make_run_context(database, tmp_path, tree, HashEmbedder())
    made = Bench(database, tmp_path, tree, run_context)
    made.sync()
    yield made
    for undo in made.undo:
        undo()


# What creates a condition, and what ends it.

Act = Callable[[Bench], object]


@dataclass(frozen=True)
class Condition:
    """A condition, the alarm that it raises, the check that fails, and how it ends.

    `second_check` also fails, for a condition with two parts.
    """

    what: str
    alarm: str
    check: str | None
    plant: Act
    cure: Act
    documents: tuple[str, ...] = ()
    second_check: str | None = None


def away(
    make: Callable[[Bench], tuple[SourceSettings, Callable[[], object], Callable[[], object]]],
):
    """A source of one kind that becomes unreachable and reachable again."""

    def plant(bench: Bench) -> None:
        bench.settings, lose, restore = make(bench)
        bench.undo.append(restore)
        bench.probe()
        assert bench.list_alarms() == []
        lose()
        bench.probe()

    def cure(bench: Bench) -> None:
        bench.undo.pop()()
        bench.probe()

    return plant, cure


def folder(bench: Bench):
    notes, elsewhere = bench.home / "notes", bench.home / "elsewhere"
    notes.mkdir()
    (notes / "a.md").write_text("A note.\n", "utf-8")
    settings = FilesSettings(name="tree", collection="tree", kind="files", uri=str(notes))
    return settings, lambda: notes.rename(elsewhere), lambda: elsewhere.rename(notes)


def record_file(bench: Bench):
    path, elsewhere = bench.home / "rows.jsonl", bench.home / "elsewhere"
    path.write_text('{"_id": "1", "text": "A row."}\n', "utf-8")
    settings = RecordsSettings(name="tree", collection="tree", kind="records", uri=str(path))
    return settings, lambda: path.rename(elsewhere), lambda: elsewhere.rename(path)


def git_remote(bench: Bench):
    remote, elsewhere = bench.home / "remote", bench.home / "elsewhere"
    remote.mkdir()
    (remote / "a.md").write_text("A page.\n", "utf-8")
    git = ["git", "-C", str(remote), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "init", "-q", "-b", "main", str(remote)], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    settings = GitSettings(name="tree", collection="tree", kind="git", uri=str(remote))
    return settings, lambda: remote.rename(elsewhere), lambda: elsewhere.rename(remote)


class Pages(http.server.BaseHTTPRequestHandler):
    """A site of one page."""

    def do_GET(self) -> None:
        content = b"<html><body><p>A page about conditions.</p></body></html>"
        self.send_response(404 if self.path == "/robots.txt" else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Write no log."""


@contextmanager
def serve_pages(port: int = 0) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Pages)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def web_host(bench: Bench):
    first = serve_pages()
    port = first.__enter__()
    again = serve_pages(port)
    settings = WebSettings(
        name="tree", collection="tree", kind="web", start=(f"http://127.0.0.1:{port}/",), attempts=1
    )
    lose = functools.partial(first.__exit__, None, None, None)

    def restore() -> None:
        again.__enter__()
        bench.undo.append(functools.partial(again.__exit__, None, None, None))

    return settings, lose, restore


def sql_table(bench: Bench):
    bench.execute("create table public.pages (id text primary key, body text)")
    bench.execute("insert into public.pages values ('1', 'A page.')")
    settings = SqlSettings(
        name="tree", collection="tree", kind="sql", url_variable="TROUBLE_URL",
        query="select id, body as text from public.pages",
    )  # fmt: skip
    return (
        settings,
        lambda: bench.execute("alter table public.pages rename to old_pages"),
        lambda: bench.execute("alter table public.old_pages rename to pages"),
    )


def sql_variable(bench: Bench):
    settings, *_ = sql_table(bench)
    url = os.environ["TROUBLE_URL"]
    return (
        settings,
        lambda: os.environ.pop("TROUBLE_URL"),
        lambda: os.environ.update({"TROUBLE_URL": url}),
    )


def change(bench: Bench, *, error: Exception | None = None) -> None:
    """Change a document; with an error it cannot be read."""
    bench.tree.write("anna.md", "Something else altogether.")
    bench.tree.documents["anna.md"].error = error  # type: ignore[assignment]


def plant_late_failure(error: Exception) -> Act:
    def plant(bench: Bench) -> None:
        change(bench, error=error)
        bench.sync()
        assert bench.list_alarms() == []
        bench.ahead = timedelta(minutes=11)

    return plant


def cure_failure(bench: Bench) -> None:
    bench.tree.documents["anna.md"].error = None
    bench.execute("update ragline.documents set next_attempt_at = now() where state = 'failed'")
    bench.sync()


def plant_late_change(bench: Bench) -> None:
    change(bench)
    bench.stages(sync_documents)
    bench.ahead = timedelta(minutes=11)


def plant_late_removal(bench: Bench) -> None:
    del bench.tree.documents["bert.md"]
    bench.stages(sync_documents)
    bench.ahead = timedelta(minutes=25)


def plant_unwatched(bench: Bench) -> None:
    bench.is_watched = False
    bench.ahead = timedelta(hours=3)


def cure_unwatched(bench: Bench) -> None:
    bench.ahead = timedelta(0)
    bench.sync()


def plant_never_synced(bench: Bench) -> None:
    plant_unwatched(bench)
    bench.execute(
        "update ragline.sources set listed_at = null, first_listed_at = null, proven_at = null"
    )


def lose_many(bench: Bench) -> None:
    for number in range(40):
        bench.tree.write(f"{number:02}.md", f"Note {number}.")
    bench.sync()
    for number in range(40):
        del bench.tree.documents[f"{number:02}.md"]
    bench.sync()


def lose_all(bench: Bench) -> None:
    bench.undo.append(functools.partial(bench.tree.documents.update, dict(bench.tree.documents)))
    bench.tree.documents.clear()
    bench.sync()


def restore_all(bench: Bench) -> None:
    bench.undo.pop()()
    bench.sync()


def fail_three_times(bench: Bench) -> None:
    class Broken(TreeSource):
        def list_documents(self):
            raise OSError(5, "Input/output error")

    bench.run_context.tree = Broken()
    for number in range(3):
        assert bench.list_alarms() == []
        bench.try_sync(f"broken-{number}")


def move_collection(bench: Bench) -> None:
    """The file names another collection for a source that was synced before."""
    configuration = bench.run_context.configuration
    moved = tuple(one.model_copy(update={"collection": "wood"}) for one in configuration.sources)
    (tree,) = configuration.collections
    changes = {"sources": moved, "collections": (tree, tree.model_copy(update={"name": "wood"}))}
    bench.run_context.configuration = configuration.model_copy(update=changes)
    bench.run_context.run_id = "moved"
    with pytest.raises(ConfigurationError, match="is stored in collection tree and cannot move"):
        bench.stages(refuse_moved_source)
    bench.run_context.configuration = configuration


def restore_tree(bench: Bench) -> None:
    bench.run_context.tree = bench.tree
    bench.run_context.run_id = "whole"
    bench.sync()


def kill_three_times(bench: Bench) -> None:
    for number in range(3):
        bench.execute(
            "insert into ragline.source_syncs (run_id, source_id) "
            f"select 'killed-{number}', id from ragline.sources"
        )


def fail_while_late(bench: Bench) -> None:
    plant_late_change(bench)
    record_run_error(bench.database, "full", ["tree"], "embed: DiskFull: no space left", None)


def repeat_name(bench: Bench) -> None:
    class Repeating(TreeSource):
        def list_documents(self):
            yield from super().list_documents()
            yield from super().list_documents()

    bench.run_context.tree = Repeating(bench.tree.documents)
    bench.try_sync("repeated")


def break_off(bench: Bench) -> None:
    bench.tree.breaks_after = 2
    bench.try_sync("broken off")


def cure_listing(bench: Bench) -> None:
    bench.tree.breaks_after = None
    restore_tree(bench)


def plant_difference(statement: str) -> Act:
    def plant(bench: Bench) -> None:
        bench.execute(statement)
        bench.prove()

    return plant


def cure_difference(bench: Bench) -> None:
    bench.sync()
    bench.prove()


def refuse(**changes: Any) -> tuple[Act, Act]:
    def plant(bench: Bench) -> None:
        (collection,) = bench.run_context.configuration.collections
        before = {name: getattr(collection, name) for name in changes}
        bench.undo.append(functools.partial(bench.change_settings, **before))
        bench.change_settings(**changes)
        bench.sync()

    def cure(bench: Bench) -> None:
        bench.undo.pop()()
        bench.sync()

    return plant, cure


def fill_disk(bench: Bench) -> None:
    bench.execute(
        "create function public.fill() returns trigger language plpgsql as "
        "$$ begin raise exception using errcode = '53100', "
        "message = 'could not extend file: No space left on device'; end $$"
    )
    bench.execute(
        "create trigger full_disk before insert on ragline.generations "
        "for each row execute function public.fill()"
    )
    bench.change_settings(chunking={"max_tokens": 16, "overlap_tokens": 0})
    bench.sync()


def free_disk(bench: Bench) -> None:
    bench.execute("drop trigger full_disk on ragline.generations")
    bench.sync()


def unconfigure(bench: Bench) -> None:
    bench.configured = {"other"}


def configure_again(bench: Bench) -> None:
    bench.configured = {"tree"}


def promote_worse(bench: Bench, **change: float) -> None:
    """Promote a second generation, whose searches are worse."""
    bench.change_settings(chunking={"max_tokens": 16, "overlap_tokens": 0})
    bench.sync()
    promoted_at = datetime.now(UTC)
    traffic = Traffic(bench.database, "tree", np.random.default_rng(1))
    for day in range(1, 8):
        traffic.add(1, promoted_at - timedelta(days=day), timedelta(hours=2), 100)
    replace(traffic, **change).add(2, promoted_at, timedelta(hours=1), 150)
    watch_until(bench, timedelta(hours=1))


def search_with_success(bench: Bench) -> None:
    chance = np.random.default_rng(2)
    traffic = Traffic(bench.database, "tree", chance, empty=0.0, unsure=0.0)
    traffic.add(2, datetime.now(UTC) + timedelta(hours=2), timedelta(minutes=30), 250)
    watch_until(bench, timedelta(hours=3))


def watch_until(bench: Bench, after: timedelta) -> None:
    (settings,) = bench.run_context.configuration.collections
    watch_collection(bench.database, settings, datetime.now(UTC) + after)


FORCED = Decision("ada", "the check is wrong", is_forced=True)


def force_promotion(bench: Bench) -> None:
    """Promote a candidate although a blocking check has failed."""
    bench.change_settings(build="manual", language="german")
    with bench.run_context as run_context:
        build_generation(run_context, "tree", FORCED)
    promote_by_force(bench)


def force_settings(bench: Bench) -> None:
    bench.change_settings(build="manual", search={"vector_weight": 0.9})
    promote_by_force(bench)


def promote_by_force(bench: Bench) -> None:
    record_blocking_checks(bench.database, "tree", "documents", {"has_text": False})
    promote_candidate(bench.database, bench.run_context.configuration, "tree", FORCED)


def roll_back_force(bench: Bench) -> None:
    roll_back(bench.database, "tree", Decision("ada", "the check is right"))


def judge_too_few_queries(bench: Bench) -> None:
    """A sync builds a candidate. The stored report is that of a gate with too few queries."""
    golden = bench.home / "golden"
    (golden / "qrels").mkdir(parents=True)
    (golden / "queries.jsonl").write_text('{"_id": "q", "text": "What anna has to say"}', "utf-8")
    judgements = "query-id\tcorpus-id\tscore\nq\tanna.md\t1"
    (golden / "qrels" / "test.tsv").write_text(judgements, "utf-8")
    bench.change_settings(golden=golden, language="german")
    bench.sync()
    report = {
        "collection": "tree", "candidate_id": 2, "live_id": 1, "verdict": "undecidable",
        "report": json.dumps({"reasons": ["too few queries"]}), "golden_set_version": "1",
        "code_version": "1", "seed": 1, "asked_by": "run sync",
    }  # fmt: skip
    with bench.database.begin() as connection:
        connection.execute(load_statement("gate/insert_report"), report)


def refuse_candidate(bench: Bench) -> None:
    refuse_generation(bench.database, 2, Decision("ada", "worse hits"))


DELETE_ENTRY = "delete from ragline.entries_1 where document_id = 'bert.md' and ordinal = 0"
ZERO = "update ragline.entries_1 set embedding = '[0,0,0,0,0,0,0,0]' where document_id = 'dora.md'"
OTHER_TEXT = "update ragline.entries_1 set text = 'lies' where document_id = 'cleo.md'"
OTHER_READERS = "update ragline.entries_1 set principals = '{eve}' where document_id = 'dora.md'"
NO_VECTOR = (
    "delete from ragline.embeddings where text_hash in "
    "(select text_hash from ragline.entries_1 where document_id = 'dora.md')"
)
OTHER_HASH = "update ragline.documents set content_hash = 'old' where document_id = 'cleo.md'"

CONDITIONS = [
    Condition("the folder of a source is gone", "source_unreachable", REACHABLE, *away(folder)),
    Condition("the file of records is gone", "source_unreachable", REACHABLE, *away(record_file)),
    Condition("the Git remote is gone", "source_unreachable", REACHABLE, *away(git_remote)),
    Condition("the web host is down", "source_unreachable", REACHABLE, *away(web_host)),
    Condition(
        "the environment variable of a secret is not set", "source_unreachable", REACHABLE,
        *away(sql_variable),
    ),
    Condition(
        "a database table is renamed", "source_unreachable", REACHABLE, *away(sql_table)
    ),
    Condition(
        "a listing ends with an error", "source_unreachable", REACHABLE, break_off, cure_listing
    ),
    Condition(
        "a listing names a document twice", "source_unreachable", REACHABLE, repeat_name,
        restore_tree,
    ),
    Condition(
        "most documents disappear at once", "removals_held", PLAUSIBLE, lose_many,
        lambda bench: confirm_removals(bench.database, "tree"), ("00.md", "01.md"),
    ),
    Condition(
        "all documents of a small source disappear", "removals_held", PLAUSIBLE, lose_all,
        restore_all, ("anna.md", "bert.md"),
    ),
    Condition(
        "a change is listed, but the sync stops before indexing", "change_late", VISIBLE,
        plant_late_change, Bench.sync, ("anna.md",),
    ),
    Condition(
        "a removal is listed, but the sync stops before indexing", "removal_late", FORGOTTEN,
        plant_late_removal, Bench.sync, ("bert.md",),
    ),
    Condition(
        "the Dagster daemon does not run", "source_not_watched", SYNCED, plant_unwatched,
        cure_unwatched,
    ),
    Condition(
        "the first listing never ends", "source_never_synced", SYNCED, plant_never_synced,
        cure_unwatched,
    ),
    Condition("syncs fail three times", "sync_failed", SYNCED, fail_three_times, restore_tree),
    Condition("runs are killed three times", "sync_failed", SYNCED, kill_three_times, restore_tree),
    Condition(
        "the configuration moves a source to another collection", "sync_failed", SYNCED,
        move_collection, restore_tree,
    ),
    Condition(
        "a sync fails because a disk is full, while a change waits", "sync_failed", SYNCED,
        fail_while_late, restore_tree, ("anna.md",), second_check=VISIBLE,
    ),
    Condition(
        "a changed document takes too long to read", "documents_failed", VISIBLE,
        plant_late_failure(ParserTimeoutError("reading took longer than 60 s")), cure_failure,
        ("anna.md",),
    ),
    Condition(
        "a changed document needs too much memory", "documents_failed", VISIBLE,
        plant_late_failure(ParserMemoryError("reading needed over 2 GiB")), cure_failure,
        ("anna.md",),
    ),
    Condition(
        "the source does not return a changed document", "documents_failed", VISIBLE,
        plant_late_failure(DocumentUnreadableError("permission denied")), cure_failure,
        ("anna.md",),
    ),
    Condition(
        "the source does not say who may read a changed document", "documents_failed", VISIBLE,
        plant_late_failure(PermissionsUnavailableError("403 on its permissions")), cure_failure,
        ("anna.md",),
    ),
    Condition(
        "an entry is deleted by hand", "proof_differs", FULL_PROOF, plant_difference(DELETE_ENTRY),
        cure_difference, ("bert.md",),
    ),
    Condition(
        "a vector is set to zero", "proof_differs", FULL_PROOF, plant_difference(ZERO),
        cure_difference, ("dora.md",),
    ),
    Condition(
        "a text of the index is changed by hand", "proof_differs", FULL_PROOF,
        plant_difference(OTHER_TEXT), cure_difference, ("cleo.md",),
    ),
    Condition(
        "the principals of an entry are changed by hand", "proof_differs", FULL_PROOF,
        plant_difference(OTHER_READERS), cure_difference, ("dora.md",),
    ),
    Condition(
        "stored vectors are lost", "proof_differs", FULL_PROOF, plant_difference(NO_VECTOR),
        cure_difference, ("dora.md",),
    ),
    Condition(
        "the ledger has another hash than the source", "proof_differs", FULL_PROOF,
        plant_difference(OTHER_HASH), cure_difference, ("cleo.md",),
    ),
    Condition(
        "the language of a collection is unknown", "settings_refused", None,
        *refuse(language="englisch"),
    ),
    Condition(
        "the embedding model is gone", "settings_refused", None,
        *refuse(embedding_model="./no-such-model"),
    ),
    Condition(
        "chunks have more tokens than the model reads", "settings_refused", None,
        *refuse(chunking={"max_tokens": 4_000, "overlap_tokens": 0}),
    ),
    Condition(
        "a disk is full during the build of a new generation", "generation_build_failed", None,
        fill_disk, free_disk,
    ),
    Condition(
        "a source is deleted from the configuration", "source_not_configured", None, unconfigure,
        configure_again,
    ),
    Condition(
        "searches find nothing after a promotion", "quality_dropped", KEEPS_QUALITY,
        functools.partial(promote_worse, empty=0.9), search_with_success,
    ),
    Condition(
        "searches have a low confidence after a promotion", "quality_dropped", KEEPS_QUALITY,
        functools.partial(promote_worse, unsure=0.9), search_with_success,
    ),
    Condition(
        "a person forces the promotion of a candidate", "promotion_forced", NOT_FORCED,
        force_promotion, roll_back_force,
    ),
    Condition(
        "a person forces the release of changed search settings", "promotion_forced", NOT_FORCED,
        force_settings, roll_back_force,
    ),
    Condition(
        "the gate does not pass the candidate of a sync", "candidate_not_passed", None,
        judge_too_few_queries, refuse_candidate,
    ),
]  # fmt: skip


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.what)
def test_condition_raises_one_alarm_everywhere_until_it_ends(bench, condition, monkeypatch):
    monkeypatch.setenv("TROUBLE_URL", bench.database.url)
    assert bench.list_alarms() == []
    condition.plant(bench)
    # In the status: one alarm with all of its fields.
    (alarm,) = bench.list_alarms()
    assert alarm.name == condition.alarm
    assert alarm.collection == "tree"
    assert alarm.cause
    assert alarm.remedy
    assert all(part in alarm.text for part in (alarm.source or "tree", *condition.documents))
    assert set(condition.documents) <= set(alarm.documents)
    assert (ALARMS.parents[1] / alarm.runbook).is_file()
    # In Dagster: one check of the source, or the step that publishes, which fails.
    failed = bench.read_failed_checks()
    assert failed == [
        name for name in (condition.second_check, condition.check) if name is not None
    ]
    # In the API, if the condition does not need a later time.
    if bench.ahead == timedelta(0):
        answer = bench.read_api()
        found = [*answer["alarm_details"], *answer["sources"][0]["alarm_details"]]
        assert [one["name"] for one in found] == [condition.alarm]
        assert [*answer["alarms"], *answer["sources"][0]["alarms"]] == [alarm.text]
    # In the metrics, and on the page above the hits.
    samples = describe_status(bench.read())
    told = [labels for name, labels, _ in samples if name == "ragline_alarm"]
    assert told == [("tree", alarm.source or "", condition.alarm, alarm.severity)]
    assert [one.text for one in list_alarms(bench.read(), "tree")] == [alarm.text]
    # It ends with the condition.
    condition.cure(bench)
    assert bench.list_alarms() == []
    assert bench.read_failed_checks() == []


def hold_lock(bench: Bench) -> None:
    """A process that dies releases its lock with its connection."""
    lock_source(bench.database, "tree", "dead").release()


def refused(error: Exception) -> Act:
    def plant(bench: Bench) -> None:
        change(bench, error=error)
        bench.sync()
        bench.ahead = timedelta(days=2)

    return plant


def first_listing(bench: Bench) -> None:
    bench.execute("update ragline.documents set visible_at = null where document_id = 'anna.md'")
    bench.execute(
        "update ragline.documents set state = 'failed', error_name = 'ParserTimeoutError', "
        "error = 'slow', noticed_at = (select first_listed_at from ragline.sources), "
        "clock_started_at = null where document_id = 'anna.md'"
    )
    bench.ahead = timedelta(days=2)


def change_after_listing(bench: Bench) -> None:
    change(bench)
    del bench.tree.documents["bert.md"]
    bench.prove()


def fail_once(bench: Bench) -> None:
    bench.execute(
        "insert into ragline.source_syncs (run_id, source_id, error) "
        "select 'once', id, 'OSError: a short fault' from ragline.sources"
    )


def slow_listing(bench: Bench) -> None:
    bench.is_watched = False
    bench.ahead = timedelta(minutes=25)


def late_once(bench: Bench) -> None:
    """A late change has ended; its duration remains in the readings."""
    bench.execute(
        "insert into ragline.clock_readings (source_id, document_id, clock, started_at, "
        "noticed_at, stopped_at) select id, 'anna.md', 'visible', now() - interval '9 hours', "
        "now(), now() from ragline.sources"
    )


def find_run_in_progress(bench: Bench) -> None:
    for number in range(4):
        bench.execute(
            "insert into ragline.source_syncs (run_id, source_id, error) select "
            f"'second-{number}', id, 'SyncInProgressError: by another run' from ragline.sources"
        )


ORDINARY = {
    "a changed document is damaged": refused(BrokenDocumentError("it is cut off")),
    "a changed document gets a password": refused(EncryptedDocumentError("a password")),
    "a changed document becomes empty": refused(EmptyDocumentError("no text")),
    "a changed document grows too large": refused(DocumentTooLargeError("over 100 MB")),
    "a changed document has a format without a reader": refused(UnsupportedFormatError("xyz")),
    "a document of the first listing fails": first_listing,
    "documents change during a run, after the run listed the source": change_after_listing,
    "a sync fails once": fail_once,
    "a listing takes longer than the limit of the clock": slow_listing,
    "a change was late last week": late_once,
    "syncs were started while another sync ran": find_run_in_progress,
    "a process died while it held a lock": hold_lock,
}


@pytest.mark.parametrize("what", ORDINARY)
def test_ordinary_operation_raises_no_alarm_and_fails_no_check(bench, what):
    ORDINARY[what](bench)
    assert bench.list_alarms() == []
    assert bench.read_failed_checks() == []


def test_all_conditions_are_in_the_documentation():
    assert len(CONDITIONS) >= 30
    assert len({condition.what for condition in CONDITIONS}) == len(CONDITIONS)
    rows = [
        f"| {one.what} | `{one.alarm}` | {f'`{one.check}`' if one.check else '–'} |"
        for one in CONDITIONS
    ]
    page = ALARMS.read_text("utf-8")
    missing = [row for row in rows if row not in page]
    assert missing == []
    for what in ORDINARY:
        assert f"- {what}" in page
