"""Progress in a log: a line at the end of a stage, and no line twice."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from ragline import progress
from ragline.progress import TerminalProgress


def show(steps: list[int], capsys: pytest.CaptureFixture[str]) -> list[str]:
    stages = TerminalProgress(Console(file=StringIO()))
    with stages.stage("embed", total=sum(steps), unit="chunks") as advance:
        for step in steps:
            advance(step)
    return [line.partition(" in ")[0] for line in capsys.readouterr().err.splitlines()]


def test_stage_ends_with_its_last_line_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert show([1, 2], capsys) == ["embed: 3 of 3 chunks"]
    monkeypatch.setattr(progress, "LINE_INTERVAL_S", 0.0)
    assert show([1, 2], capsys) == ["embed: 1 of 3 chunks", "embed: 3 of 3 chunks"]
    assert show([], capsys) == ["embed: 0 of 0 chunks"]
