"""Measures a sync without a change and with one change, for several numbers of files.

The script writes folders of small Markdown files and syncs each folder once. Then it times
`ragline sync` as a whole process: three times without a change, and three times with one edited
file. The column `work` is the time in the stages. The column `run` also contains the checks and
Dagster's events. The column `process` also contains the start of the process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

CONFIGURATION = """\
sources:
  - {name: notes, collection: notes, kind: files, uri: ./notes}
"""
FILES_PER_FOLDER = 500
ROUNDS = 3


def prepare(home: Path, count: int) -> None:
    """Write a folder with `count` small files and sync it. Do nothing if the folder is complete."""
    if (home / "ragline.yaml").exists():
        return
    for number in range(count):
        folder = home / "notes" / f"{number // FILES_PER_FOLDER:04}"
        folder.mkdir(parents=True, exist_ok=True)
        text = f"# Note {number}\n\nSubject {number} has a story of its own, told {number} times.\n"
        (folder / f"{number:06}.md").write_text(text, encoding="utf-8")
    (home / "ragline.yaml").write_text(CONFIGURATION, encoding="utf-8")
    sync(home)


def sync(home: Path) -> dict[str, float]:
    """Run `ragline sync` once. Returns its seconds (process, run, stages) and its embeddings."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "ragline", "sync", "--json"],
        cwd=home,
        check=True,
        capture_output=True,
        text=True,
    )
    report = json.loads(done.stdout)
    return {
        "process": time.perf_counter() - started,
        "run": report["seconds"],
        "work": report["sources"]["notes"]["seconds"],
        "embeddings": report["sources"]["notes"]["embeddings_made"],
    }


def measure(home: Path, *, with_change: bool) -> dict[str, float]:
    """Return the medians of ROUNDS syncs."""
    seen = []
    for turn in range(ROUNDS):
        if with_change:
            path = home / "notes" / "0000" / "000007.md"
            path.write_text(f"# Note 7\n\nChanged at {time.time()}, turn {turn}.\n", "utf-8")
        seen.append(sync(home))
    return {name: median(one[name] for one in seen) for name in seen[0]}


def main() -> None:
    """Measure every size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--home", type=Path, help="keep the folders here, to measure again")
    parser.add_argument("--prepare-only", action="store_true")
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        home = options.home or Path(temporary)
        for count in options.files:
            prepare(home / str(count), count)
        if options.prepare_only:
            return
        print("| files | sync | work | run | process | embedded |\n|---|---|---|---|---|---|")
        for count in options.files:
            for name, with_change in (("no change", False), ("one change", True)):
                took = measure(home / str(count), with_change=with_change)
                print(
                    f"| {count:,} | {name} | {took['work']:.2f} s | {took['run']:.1f} s "
                    f"| {took['process']:.1f} s | {took['embeddings']:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
