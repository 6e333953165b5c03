"""A month without trouble raises no alarm: every change, retry, proof and second run in it is fine.

The clock is the test's: the database's functions `now` and `clock_timestamp` are those of a schema
that comes before `pg_catalog`, and run ahead of the real ones. What decides is the real code: when
a sync is due, what a proof makes of a difference, what the status and the checks say. The ordinary
run has a Sunday night and a Monday; RAGLINE_SOAK=1 has the month.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lifecycle_doubles import HashEmbedder, TreeRunContext, TreeSource, make_run_context
from repetition_counts import IS_SOAK, choose_count
from sqlalchemy import make_url, text

from dagster_project.due_syncs import LastSync, SensorCursor
from dagster_project.sensors import judge_probe, judge_source_checks
from ragline.errors import EncryptedDocumentError, ParserTimeoutError
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.embeddings import embed_chunks
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.search_index import publish_index
from ragline.lifecycle.sync_proof import prove_source
from ragline.sources.web.settings import WebSettings
from ragline.status import read_status
from ragline.storage.database import Database, connect_database

logger = logging.getLogger(__name__)

HOURS = choose_count(ordinary=36, soak=30 * 24)
STEP = timedelta(minutes=4)
DOCUMENTS = 12
# Between two stages of a run, in seconds.
STAGE_S = 20
CLOCK = """
create schema fake;
create table fake.clock (ahead interval not null);
insert into fake.clock values ('0');
create function fake.now() returns timestamptz language sql stable
  as 'select pg_catalog.now() + ahead from fake.clock';
create function fake.clock_timestamp() returns timestamptz language sql volatile
  as 'select pg_catalog.clock_timestamp() + ahead from fake.clock';
alter table ragline.sources alter column created_at set default fake.now();
alter table ragline.documents alter column noticed_at set default fake.now();
alter table ragline.source_syncs alter column started_at set default fake.clock_timestamp();
alter table ragline.placements alter column placed_at set default fake.now();
alter table ragline.sync_proofs alter column proven_at set default fake.clock_timestamp();
"""


class FakeClock:
    """A clock ahead of the real time by `ahead`, in Python and in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, span: timedelta) -> None:
        self.ahead += span
        with self._database.begin() as connection:
            connection.execute(text("update fake.clock set ahead = :ahead"), {"ahead": self.ahead})


@pytest.fixture
def ahead_database(database_url: str) -> Iterator[Database]:
    """A database whose clock is ahead."""
    plain = connect_database(database_url)
    with plain.begin() as connection:
        connection.exec_driver_sql(CLOCK)
    plain.engine.dispose()
    url = make_url(database_url).update_query_dict({"options": "-csearch_path=fake,pg_catalog"})
    opened = connect_database(url.render_as_string(hide_password=False))
    yield opened
    opened.engine.dispose()


class SiteSource(TreeSource):
    """A site whose probe finds no change."""

    def probe(self) -> str:
        return "the same"


@dataclass
class Watched:
    """A source, the cursor of its sensor, and the runs that the sensor requests."""

    name: str
    database: Database
    home: Path
    clock: FakeClock
    chance: random.Random
    counts: Counter[str]
    is_web: bool = False
    tree: TreeSource = field(default_factory=TreeSource)
    embedder: HashEmbedder = field(default_factory=HashEmbedder)
    cursor: SensorCursor = field(default_factory=SensorCursor)
    last: LastSync = field(default_factory=LastSync)
    runs: int = 0

    def open(self, run_id: str) -> TreeRunContext:
        run_context = make_run_context(
            self.database, self.home, self.tree, self.embedder, name=self.name, run_id=run_id
        )
        if self.is_web:
            web = WebSettings(
                name=self.name, collection=self.name, kind="web", start=("http://127.0.0.1/",),
                visible_within=timedelta(hours=1), forgotten_within=timedelta(hours=1),
            )  # fmt: skip
            changed = {"sources": (web,)}
            run_context.configuration = run_context.configuration.model_copy(update=changed)
        return run_context

    def probe(self) -> None:
        """One tick of the sensor, and the run that it requests."""
        self.counts["probes"] += 1
        run_context = self.open("probe")
        (settings,) = run_context.configuration.sources
        probe, now = self.tree.probe(), self.clock.now()
        due, _ = judge_probe(self.database, settings, self.cursor, self.last, probe, now)
        if isinstance(due, SensorCursor):
            self.cursor = due
            self.run()

    def run(self) -> None:
        """A sync with its proof, and changes, proofs and other runs in the middle of it."""
        self.runs += 1
        self.counts["runs"] += 1
        started = self.clock.now().timestamp()
        has_failed = self.chance.random() < 0.02
        with self.open(f"{self.name}-{self.runs}") as run_context:
            stages = (sync_documents, build_chunks, embed_chunks, apply_entries)
            for number, stage in enumerate(stages):
                if has_failed and number == 2:
                    self.counts["failed runs"] += 1
                    break
                stage(run_context, self.name)
                self.pass_time()
            if not has_failed:
                prove_source(run_context, self.name, part_number=self.runs, in_full=False)
                self.counts["proofs"] += 1
                publish_index(run_context, self.name)
        ended = self.clock.now().timestamp()
        self.last = LastSync(
            has_failed=has_failed,
            started_at=started,
            ended_at=ended,
            entries_made_at=self.last.entries_made_at if has_failed else ended,
        )

    def pass_time(self) -> None:
        """The time between two stages, and sometimes another event."""
        self.clock.advance(timedelta(seconds=self.chance.uniform(1, STAGE_S)))
        if self.chance.random() < 0.15:
            self.counts["changes in the middle of a run"] += 1
            self.change()
        if self.chance.random() < 0.1:
            self.counts["proofs during a run"] += 1
            self.prove()

    def prove(self) -> None:
        """The hourly proof, or one of the command line."""
        with self.open("proof") as run_context:
            prove_source(run_context, self.name)
        self.counts["proofs"] += 1

    def change(self) -> None:
        """A document is written, deleted, moved, refused, or fails for a short time."""
        self.counts["changes"] += 1
        names = sorted(self.tree.documents)
        name = self.chance.choice(names)
        what = self.chance.random()
        if what < 0.2 and len(names) > DOCUMENTS - 3:
            del self.tree.documents[name]
            return
        if 0.2 <= what < 0.3 and len(names) < DOCUMENTS + 6:
            name = f"new-{self.counts['changes']}.md"
        elif what < 0.4 and len(names) > DOCUMENTS - 3:
            # An old file is moved here: its time is not the time of the change.
            moved = self.tree.documents.pop(name)
            moved.changed_at = datetime(2020, 1, 1, tzinfo=UTC)
            self.tree.documents[f"moved-{self.counts['changes']}.md"] = moved
            return
        self.tree.write(name, f"The text number {self.counts['changes']} of this document. " * 3)
        if 0.8 < what < 0.85:
            self.counts["refused documents"] += 1
            self.tree.documents[name].error = EncryptedDocumentError("a password")
        elif what >= 0.85:
            self.counts["documents that fail once"] += 1
            self.tree.documents[name].error = ParserTimeoutError("slow")

    def heal(self) -> None:
        """A document that failed once can be read at its next attempt."""
        for document in self.tree.documents.values():
            if isinstance(document.error, ParserTimeoutError):
                document.error = None

    def finish(self) -> None:
        """Sync the last changes; no work and no alarm remains."""
        with self.open("last") as run_context:
            for stage in (sync_documents, build_chunks, embed_chunks, apply_entries):
                stage(run_context, self.name)
            publish_index(run_context, self.name)
            assert prove_source(run_context, self.name).differences == []


def is_working_hour(at: datetime) -> bool:
    return at.weekday() < 5 and 7 <= at.hour < 19


def check_quiet(database: Database, clock: FakeClock, counts: Counter[str]) -> None:
    """No alarm and no failed check; both agree with the API."""
    counts["looks"] += 1
    status = read_status(database, configured={"wiki", "site"}, now=clock.now())
    alarms = [a.text for one in (*status.sources, *status.collections) for a in one.alarm_details]
    failed = [
        result.check_name
        for source in status.sources
        for result in judge_source_checks(source)
        if not result.passed
    ]
    counts["false alarms"] += len(alarms) + len(failed)
    assert (alarms, failed) == ([], [])


def begin_on_sunday(clock: FakeClock) -> None:
    """The evening of the next Sunday."""
    real = datetime.now(UTC)
    sunday = real + timedelta(days=(6 - real.weekday()) % 7 + 7)
    clock.advance(sunday.replace(hour=19, minute=0, second=0) - real)


def pass_hour(sources: list[Watched], clock: FakeClock, counts: Counter[str]) -> None:
    """One hour: the schedules at its start, then some changes, and probes."""
    hour = clock.now().hour
    for source in sources:
        # A listing that is expensive is proven once a day.
        if hour == 3 or not source.is_web:
            source.prove()
        if hour == 2:
            counts["nightly syncs"] += 1
            source.run()
    while clock.now().hour == hour:
        clock.advance(STEP)
        for source in sources:
            if is_working_hour(clock.now()) and source.chance.random() < 0.06:
                source.change()
            source.probe()
            source.heal()
        check_quiet(source.database, clock, counts)


@pytest.mark.slow
@pytest.mark.timeout(14_400 if IS_SOAK else 600)
def test_month_without_trouble_raises_no_alarm(ahead_database, tmp_path):
    counts, clock = Counter[str](), FakeClock(ahead_database)
    begin_on_sunday(clock)
    shared = (ahead_database, tmp_path, clock, random.Random(20_260_605), counts)  # noqa: S311
    site = Watched("site", *shared, is_web=True, tree=SiteSource())
    sources = [Watched("wiki", *shared), site]
    for source in sources:
        for number in range(DOCUMENTS):
            source.tree.write(f"{number:02}.md", f"Document {number} of {source.name}. " * 3)
        source.run()
    end = clock.now() + timedelta(hours=HOURS)
    while clock.now() < end:
        pass_hour(sources, clock, counts)
    logger.info("%s hours: %s", HOURS, dict(counts))
    assert counts["false alarms"] == 0
    assert counts["probes"] >= HOURS * 15
    assert counts["changes in the middle of a run"] > 0
    assert counts["proofs during a run"] > 0
    assert counts["documents that fail once"] > 0
    # The index contains the same as the sources.
    for source in sources:
        source.finish()
