"""The effect of an unreadable document on its source's clock, and the alarm that names it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from lifecycle_doubles import HashEmbedder, TreeRunContext, TreeSource, make_run_context, sync
from sqlalchemy import text

from ragline.errors import (
    EncryptedDocumentError,
    ParserTimeoutError,
    UnsupportedFormatError,
)
from ragline.lifecycle.documents import sync_documents
from ragline.status import SourceStatus, read_status

REFUSED = (EncryptedDocumentError("a password"), UnsupportedFormatError("no reader for .xyz"))


@pytest.fixture
def tree() -> TreeSource:
    tree = TreeSource()
    for name in ("anna", "bert"):
        tree.write(f"{name}.md", f"What {name} has to say about refusals.")
    return tree


@pytest.fixture
def run_context(database, tmp_path, tree) -> TreeRunContext:
    return make_run_context(database, tmp_path, tree, HashEmbedder())


def later(run_context: TreeRunContext, **span: float) -> SourceStatus:
    """The status at a later time, if the source is probed until then."""
    later = datetime.now(UTC) + timedelta(**span)
    with run_context.database.begin() as connection:
        connection.execute(text("update ragline.sources set proven_at = :later"), {"later": later})
    (source,) = read_status(run_context.database, now=later).sources
    return source


def execute(run_context: TreeRunContext, statement: str) -> None:
    with run_context.database.begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0


@pytest.mark.parametrize("error", REFUSED, ids=["quarantined", "unsupported"])
def test_refused_change_is_not_late(run_context, tree, error):
    sync(run_context)
    tree.write("anna.md", "A text that cannot be read.")
    tree.documents["anna.md"].error = error
    sync(run_context)
    seen = later(run_context, days=2)
    assert (seen.visible.state, seen.visible.waiting_seconds) == ("kept", 0)
    assert seen.is_fresh
    assert seen.alarms == []
    assert [failure.document_id for failure in seen.failures] == ["anna.md"]


@pytest.mark.parametrize("error", [*REFUSED, ParserTimeoutError("too slow")])
def test_document_of_the_first_listing_is_not_late(run_context, tree, error):
    tree.documents["anna.md"].error = error
    sync(run_context)
    seen = later(run_context, days=2)
    assert seen.visible.state == "kept"
    assert seen.alarms == []


def test_first_listing_that_takes_long_makes_no_clock_late(run_context, tree):
    for document in tree.documents.values():
        document.changed_at = datetime.now(UTC) - timedelta(days=30)
    sync_documents(run_context, "tree")
    assert later(run_context, hours=3).visible.state == "kept"
    run_context.close()


def test_document_that_is_retried_raises_an_alarm_only_when_it_is_late(run_context, tree):
    sync(run_context)
    tree.write("anna.md", "Something else.")
    tree.documents["anna.md"].error = ParserTimeoutError("reading took longer than 60 s")
    sync(run_context)
    assert later(run_context, minutes=9).alarms == []
    seen = later(run_context, minutes=11)
    (alarm,) = seen.alarm_details
    assert (alarm.name, alarm.severity) == ("documents_failed", "warning")
    assert alarm.documents == ["anna.md"]
    assert "ParserTimeoutError: reading took longer than 60 s" in alarm.text
    assert "next attempt at 20" in alarm.text
    assert seen.visible.state == "late"
    # When it can be read again, the alarm ends without a person.
    tree.documents["anna.md"].error = None
    execute(
        run_context, "update ragline.documents set next_attempt_at = now() where state = 'failed'"
    )
    sync(run_context)
    assert later(run_context, minutes=30).is_fresh


def test_document_that_becomes_readable_waits_from_then_on(run_context, tree):
    sync(run_context)
    tree.write("anna.md", "Something else.")
    tree.documents["anna.md"].error = REFUSED[1]
    sync(run_context)
    execute(
        run_context,
        "update ragline.documents set noticed_at = now() - interval '3 days', "
        "next_attempt_at = now() where state = 'unsupported'",
    )
    tree.documents["anna.md"].error = None
    sync(run_context)
    readings = later(run_context, minutes=1).visible.readings
    assert readings.late == 0
    assert readings.max_seconds < 60


def test_another_parser_does_not_make_a_change_late(run_context):
    sync(run_context)
    execute(
        run_context,
        "update ragline.documents set noticed_at = now() - interval '3 days', read_by = 'older'",
    )
    execute(
        run_context,
        "update ragline.sources set first_listed_at = now() - interval '4 days'",
    )
    sync(run_context)
    readings = later(run_context, minutes=1).visible.readings
    assert (readings.late, readings.max_seconds or 0.0) == (0, pytest.approx(0.0, abs=60))
