"""Measures how long frequent commands take, in this checkout and in another one.

The script copies examples/ and syncs the copy once. Then it times each command as a whole process:
a sync without a change, a search, `status`, `check`, and commands with a mistake in the
configuration. With --against FOLDER, it also times the commands of another checkout. The two
checkouts alternate, so that other load affects both. Each checkout has its own home. Both use the
packages of this interpreter. If a command ends with an unexpected status, the table shows the
status instead of a time. An example is a command that the other checkout does not have.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

REPOSITORY = Path(__file__).parents[1]
QUESTION = "Why are f-strings evaluated at run time?"
MISTAKE = "no_such_setting: 1\n"


@dataclass(frozen=True)
class Command:
    """A command as a user enters it, and its expected exit status."""

    name: str
    arguments: tuple[str, ...]
    status: int = 0
    is_mistaken: bool = False


COMMANDS = (
    Command("sync, nothing changed", ("sync", "--json")),
    Command("search", ("search", "peps", QUESTION)),
    Command("status", ("status",)),
    Command("check", ("check",)),
    Command("check, mistake in the file", ("check",), status=2, is_mistaken=True),
    Command("sync, mistake in the file", ("sync",), status=2, is_mistaken=True),
    Command(
        "search, mistake in the file", ("search", "peps", QUESTION), status=2, is_mistaken=True
    ),
    Command("--help", ("--help",)),
)


@dataclass
class Checkout:
    """A folder with the code, a copy of the examples for it, and the times of its commands."""

    code: Path
    home: Path
    seconds: dict[str, list[float]] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)

    def prepare(self) -> None:
        """Copy the examples, unless the copy exists, and sync the copy."""
        for name, more in (("right", ""), ("mistaken", MISTAKE)):
            folder = self.home / name
            if not folder.exists():
                ignored = shutil.ignore_patterns(".ragline")
                shutil.copytree(REPOSITORY / "examples", folder, ignore=ignored)
                path = folder / "ragline.yaml"
                path.write_text(path.read_text("utf-8") + more, "utf-8")
        done = self._run(COMMANDS[0])
        if done.returncode != COMMANDS[0].status:
            sys.exit(f"{self.code}: the first sync failed\n{done.stderr or done.stdout}")

    def measure(self, command: Command) -> None:
        """Run the command once. Its time counts if it ended with the expected status."""
        started = time.perf_counter()
        done = self._run(command)
        seconds = time.perf_counter() - started
        if done.returncode == command.status:
            self.seconds.setdefault(command.name, []).append(seconds)
        else:
            self.statuses[command.name] = done.returncode

    def say(self, command: Command) -> str:
        """Return the cell of a command: the median and the range of its times, or its status."""
        if command.name in self.statuses:
            return f"ended with {self.statuses[command.name]}"
        took = self.seconds[command.name]
        return f"{median(took):.2f} s ({min(took):.2f} to {max(took):.2f})"

    def _run(self, command: Command) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ragline", *command.arguments],
            cwd=self.home / ("mistaken" if command.is_mistaken else "right"),
            env={**os.environ, "PYTHONPATH": str(self.code)},
            check=False,
            capture_output=True,
            text=True,
        )


def alternate_runs(checkouts: Sequence[Checkout], runs: int) -> Iterator[tuple[Checkout, Command]]:
    """Yield each command of each checkout `runs` times. The order of the checkouts alternates."""
    for turn in range(runs):
        for command in COMMANDS:
            for checkout in checkouts if turn % 2 else reversed(checkouts):
                yield checkout, command


def print_table(checkouts: Sequence[Checkout]) -> None:
    """Print a row for each command: a time for each checkout, and the ratio of the times."""
    names = [checkout.code.name for checkout in checkouts]
    ratio = " times |" if len(checkouts) > 1 else ""
    print(f"| command | {' | '.join(names)} |{ratio}")
    print("|---" * (1 + len(names) + bool(ratio)) + "|")
    for command in COMMANDS:
        cells = [command.name, *(checkout.say(command) for checkout in checkouts)]
        took = [checkout.seconds.get(command.name) for checkout in checkouts]
        if ratio:
            here, there = took
            cells.append(f"{median(there) / median(here):.1f}" if here and there else "")
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    """Prepare the checkouts, time the commands and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout to compare with")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--home", type=Path, help="keep the folders here, to measure again")
    options = parser.parse_args()
    folders = [REPOSITORY, *([options.against.resolve()] if options.against else [])]
    with TemporaryDirectory() as temporary:
        home = options.home or Path(temporary)
        checkouts = [Checkout(code, home / str(at)) for at, code in enumerate(folders)]
        for checkout in checkouts:
            checkout.prepare()
        for checkout, command in alternate_runs(checkouts, options.runs):
            checkout.measure(command)
    print_table(checkouts)


if __name__ == "__main__":
    main()
