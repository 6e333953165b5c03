"""Shows the progress of long work: bars on a terminal, lines in a log, or nothing.

Library code receives a `Progress` and names its stages. The command chooses the class of the
`Progress`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichBars
from rich.text import Text

# Minimum time between two lines of a running stage in a log.
LINE_INTERVAL_S = 10.0

# A function that receives the number of units that were just done.
Advance = Callable[[int], None]


class Progress(Protocol):
    """The interface of an object that shows the progress of stages."""

    def stage(self, name: str, *, total: int | None, unit: str) -> AbstractContextManager[Advance]:
        """Show one stage while a `with` block runs.

        The block receives a function and calls it with the number of units that were just done.
        `total` is the number of all units, or None if that number is not known. `unit` is a plural,
        such as `queries`.
        """


class SilentProgress:
    """A `Progress` that shows nothing."""

    @contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Advance]:  # noqa: ARG002
        yield lambda _count: None


class TerminalProgress:
    """Shows progress on standard error: bars on a terminal, plain lines in a file.

    Bars and lines show counts, the rate and the remaining time.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)

    @contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Advance]:
        show = self._bar if self._console.is_terminal else self._lines
        with show(name, total, unit) as advance:
            yield advance

    @contextmanager
    def _bar(self, name: str, total: int | None, unit: str) -> Iterator[Advance]:
        bars = RichBars(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _RateColumn(unit),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
        )
        with bars:
            task = bars.add_task(name, total=total)
            yield lambda count: bars.advance(task, count)
            if total is None:
                done = bars.tasks[0].completed
                bars.update(task, total=done, completed=done)

    @contextmanager
    def _lines(self, name: str, total: int | None, unit: str) -> Iterator[Advance]:
        lines = _Lines(name, total, unit)
        yield lines.advance
        lines.finish()


class _RateColumn(ProgressColumn):
    """A column that shows units per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {self._unit}/s")


class _Lines:
    """Shows one stage as lines of a log."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        self._name, self._total, self._unit = name, total, unit
        self._started = self._printed = time.monotonic()
        self._done = 0
        self._shown: int | None = None

    def advance(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._printed >= LINE_INTERVAL_S:
            self.print()

    def finish(self) -> None:
        """Print the last line, unless the present count is already printed."""
        if self._shown != self._done:
            self.print()

    def print(self) -> None:
        self._shown = self._done
        self._printed = time.monotonic()
        seconds = self._printed - self._started
        rate = self._done / seconds if seconds else 0.0
        of_total = "" if self._total is None else f" of {self._total:,}"
        left = ""
        if self._total is not None and rate and self._done < self._total:
            left = f", {(self._total - self._done) / rate:.0f} s left"
        line = (
            f"{self._name}: {self._done:,}{of_total} {self._unit} in {seconds:.1f} s"
            f" ({rate:,.0f}/s{left})"
        )
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
