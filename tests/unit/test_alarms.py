"""The alarms for facts about a source: one for each condition, and none without one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ragline.alarms import KINDS, LateDocument, SourceFacts, find_source_alarms
from ragline.command_line.text_output import open_console
from ragline.commands.status import print_alarm

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLOCK = timedelta(minutes=10)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


QUIET = SourceFacts(
    source="wiki",
    collection="handbook",
    visible_within=CLOCK,
    forgotten_within=CLOCK,
    known_since=ago(days=9),
    listed_at=ago(minutes=2),
    proven_at=ago(minutes=2),
)
LATE = LateDocument("a.md", "pending", ago(minutes=12), None, None)
GONE = LateDocument("b.md", "missing", ago(minutes=30), None, None)
BROKEN = LateDocument("c.pdf", "failed", ago(minutes=11), "ParserTimeoutError: slow", ago(hours=-1))
AWAY = {"unreachable_since": ago(hours=1), "unreachable_error": "there is no such folder"}
HELD = {"held_count": 3, "held_since": ago(hours=1), "held_documents": ["x", "y", "z"]}
FAILING = {"failures": 3, "failing_since": ago(hours=1), "last_error": "OSError: full"}

CONDITIONS = {
    "nothing": ({}, []),
    "a listing is slightly late": ({"proven_at": ago(minutes=15)}, []),
    "no listing and no probe": ({"proven_at": ago(hours=2)}, ["source_not_watched"]),
    "no listing and no probe during a sync": ({"proven_at": ago(hours=2), "is_syncing": True}, []),
    "never listed": ({"listed_at": None, "proven_at": None}, ["source_never_synced"]),
    "away": (AWAY, ["source_unreachable"]),
    "away, and therefore late": ({**AWAY, "late": [LATE, GONE]}, ["source_unreachable"]),
    "away, and therefore failing": ({**AWAY, **FAILING}, ["source_unreachable"]),
    "away, with removals held before": ({**AWAY, **HELD}, ["source_unreachable", "removals_held"]),
    "one failed run": ({**FAILING, "failures": 1}, []),
    "three failed runs": (FAILING, ["sync_failed"]),
    "one failed run, and late": ({**FAILING, "failures": 1, "late": [LATE]}, ["sync_failed"]),
    "one run ended early, and late": ({"failures": 1, "late": [LATE]}, ["change_late"]),
    "failing, and therefore different": ({**FAILING, "difference_count": 2}, ["sync_failed"]),
    "a late change": ({"late": [LATE]}, ["change_late"]),
    "a late removal": ({"late": [GONE]}, ["removal_late"]),
    "both late": ({"late": [GONE, LATE]}, ["removal_late"]),
    "a document that fails": ({"late": [BROKEN]}, ["documents_failed"]),
    "held": (HELD, ["removals_held"]),
    "different": (
        {"difference_count": 1, "differences": [("a.md", "zero vectors")]},
        ["proof_differs"],
    ),
    "different, and therefore late": (
        {"difference_count": 1, "differences": [("a.md", "zero vectors")], "late": [LATE]},
        ["proof_differs"],
    ),
    "not configured": ({"is_configured": False, **AWAY}, ["source_not_configured"]),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_condition_raises_one_alarm(condition):
    facts, expected = CONDITIONS[condition]
    assert [alarm.name for alarm in find_source_alarms(replace(QUIET, **facts), NOW)] == expected


def test_alarm_names_source_document_cause_and_remedy():
    (alarm,) = find_source_alarms(replace(QUIET, late=[BROKEN]), NOW)
    assert (alarm.collection, alarm.source, alarm.documents) == ("handbook", "wiki", ["c.pdf"])
    for part in ("wiki", "c.pdf", "ParserTimeoutError: slow", "2026-03-01T13:00:00Z", "retry wiki"):
        assert part in alarm.text
    assert alarm.runbook == "docs/runbooks/documents-failed.md"
    assert alarm.since == BROKEN.waiting_since


def test_late_alarm_becomes_an_error_after_twice_the_limit():
    assert find_source_alarms(replace(QUIET, late=[LATE]), NOW)[0].severity == "warning"
    assert find_source_alarms(replace(QUIET, late=[GONE]), NOW)[0].severity == "error"


def test_key_of_an_alarm_does_not_depend_on_its_text():
    first, second = (
        find_source_alarms(replace(QUIET, **{**FAILING, "last_error": error}), NOW)[0]
        for error in ("OSError: full", "OSError: fuller")
    )
    assert first.key == second.key
    assert first.text != second.text


def test_long_list_of_documents_is_shortened():
    late = [LateDocument(f"{n}.md", "pending", ago(minutes=11), None, None) for n in range(9)]
    (alarm,) = find_source_alarms(replace(QUIET, late=late), NOW)
    assert alarm.documents == [f"{n}.md" for n in range(5)]
    assert "4.md, …" in alarm.text


@pytest.mark.parametrize("name", KINDS)
def test_kind_has_a_runbook_and_says_when_it_is_raised(name):
    assert Path(KINDS[name].runbook).name == KINDS[name].runbook
    assert KINDS[name].when


@pytest.mark.parametrize(
    "facts",
    [
        {**AWAY, "unreachable_error": "source wiki: /srv/wiki cannot be listed: away"},
        {
            **FAILING,
            "last_error": "SourceUnavailableError: source wiki: /srv/wiki cannot be listed",
        },
    ],
)
def test_alarm_names_its_source_once(facts):
    (alarm,) = find_source_alarms(replace(QUIET, **facts), NOW)
    assert alarm.cause.count("source wiki") == 1
    assert ": /srv/wiki cannot be listed" in alarm.cause


def test_status_shows_the_runbook_below_its_alarm(capsys):
    (alarm,) = find_source_alarms(replace(QUIET, **AWAY), NOW)
    print_alarm(alarm, open_console())
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"  alarm: {alarm.text}"
    assert shown[1].strip() == "see docs/runbooks/source-unreachable.md"
    assert "runbooks" not in alarm.text
