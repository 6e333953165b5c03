"""What `ragline dev` shows of a sync and of its programs' logs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagster_project import child_logs
from dagster_project.child_logs import ChildLog, is_error_line
from dagster_project.dev_status_lines import describe_sync
from ragline.lifecycle.finished_syncs import FinishedSync

NOTHING = FinishedSync(
    source="handbook-files", run_id="run", finished_at=datetime(2026, 5, 4, tzinfo=UTC),
    error=None, added=0, changed=0, removed=0, held=0, failed=0, quarantined=0, visible_count=0,
    visible_documents=None, visible_seconds=None, forgotten_count=0, forgotten_documents=None,
    forgotten_seconds=None, failed_documents=None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, ""),
        (
            {
                "added": 1,
                "visible_count": 1,
                "visible_documents": ["key.md"],
                "visible_seconds": 11.2,
            },
            "handbook-files: 1 added (key.md), visible after 11 s",
        ),
        (
            {
                "changed": 4,
                "visible_count": 4,
                "visible_documents": ["a", "b", "c"],
                "visible_seconds": 150,
            },
            "handbook-files: 4 changed (a, b, c, …), visible after 2m30s",
        ),
        (
            {
                "removed": 1,
                "forgotten_count": 1,
                "forgotten_documents": ["key.md"],
                "forgotten_seconds": 5,
            },
            "handbook-files: 1 removed (key.md), forgotten after 5 s",
        ),
        (
            {"visible_count": 1, "visible_documents": ["key.md"], "visible_seconds": 67},
            "handbook-files: 1 document (key.md), visible after 67 s",
        ),
        (
            {"added": 1, "quarantined": 1, "failed_documents": ["x.pdf"]},
            "handbook-files: 1 added, 1 quarantined (x.pdf)",
        ),
        ({"error": "no such folder"}, "handbook-files: sync failed: no such folder"),
    ],
)
def test_sync_is_one_line_without_zeros(changes, line):
    assert describe_sync(replace(NOTHING, **changes), None) == line


def test_trouble_that_was_there_before_is_not_told_again():
    quarantined = replace(NOTHING, quarantined=1, failed_documents=["x.pdf"])
    assert describe_sync(quarantined, None) == "handbook-files: 1 quarantined (x.pdf)"
    assert describe_sync(quarantined, (0, 1)) == ""
    assert describe_sync(NOTHING, (0, 1)) == ""


@pytest.mark.parametrize(
    ("line", "tells"),
    [
        ("2026-11-29 10:08:57 +0000 - dagster - ERROR - sync - STEP_FAILURE - failed.", True),
        ("2026-11-29 10:08:57 +0000 - dagster - ERROR - x - RUN_FAILURE - Execution", False),
        ("dagster - ERROR - x - Dependencies for step b failed: ['a']. Not executing.", False),
        ("dagster - ERROR - __repository__ - clocks - alarm source_unreachable: x", False),
        ('{"at": "2026", "level": "error", "message": "x"}', True),
        ('{"at": "2026", "level": "info", "message": "an error"}', False),
        ("2026-11-29 - dagster.daemon - INFO - Checking for errors", False),
        ("Traceback (most recent call last):", True),
    ],
)
def test_only_errors_are_shown_and_each_once(line: str, tells: bool):
    assert is_error_line(line) is tells


def test_log_is_bounded_and_lines_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(child_logs, "MAX_FILE_BYTES", 1_000)
    log = ChildLog(tmp_path / "logs" / "api.log")
    assert log.write(b"one\ntw") == ["one"]
    assert log.write(b"o\n") == ["two"]
    for _ in range(500):
        log.write(b"a line of a chatty program\n")
    log.close()
    files = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert files == ["api.log", "api.log.1"]
    assert sum(path.stat().st_size for path in (tmp_path / "logs").iterdir()) < 3_000
    assert len(log.last_lines) == child_logs.MAX_LAST_LINES


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_log_without_room_loses_lines_and_goes_on(tmp_path: Path):
    log = ChildLog(tmp_path / "api.log")
    log.path.symlink_to("/dev/full")
    assert log.write(b"one\n") == ["one"]
    assert log.fault is not None
    assert list(log.last_lines) == ["one"]
    log.close()
    log.path.unlink()
    assert log.write(b"two\n") == ["two"]
    assert log.fault is None
    log.close()
    assert log.path.read_text() == "\ntwo\n"
