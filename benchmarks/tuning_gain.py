"""Measures the gain of the settings that `ragline tune` proposes, on queries that did not choose.

Usage: python benchmarks/tuning_gain.py [--chunking] [FOLDER …]

Each FOLDER has the BEIR layout (corpus.jsonl, queries.jsonl, qrels/test.tsv). The default folders
are cranfield and docs_qa in the folder RAGLINE_TEST_DATA. The gain is that of the best values that
were found, whether they are proposed or not. Each row has the number of queries, nDCG@10 with the
defaults and with the best values, the difference, and its interval.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from retrieval_quality import CONFIGURATION, TEST_DATA, run

from ragline.configuration import CollectionSettings


def measure(folder: Path, options: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="ragline-bench-") as name:
        home = Path(name)
        corpus = (folder / "corpus.jsonl").resolve()
        reranker = CollectionSettings.model_fields["reranker"].default
        configuration = CONFIGURATION.format(corpus=corpus, reranker=reranker)
        (home / "ragline.yaml").write_text(configuration, encoding="utf-8")
        run(home, "sync")
        report: dict[str, Any] = run(
            home, "tune", "bench", "--golden", str(folder.resolve()), *options
        )
    for stage in report["stages"]:
        print_stage(folder.name, stage)
    print(f"{folder.name}: {report['seconds']:.0f} s, seed {report['seed']}", flush=True)


def print_stage(collection: str, stage: dict[str, Any]) -> None:
    values = ", ".join(f"{one['setting']} {one['chosen']}" for one in stage["changes"])
    label = f"| {collection} | {stage['stage']} | {values or 'no change'} | {stage['decision']}"
    gains = {"tune, cross-validated": stage["validated"], "gate and holdout": stage["untouched"]}
    for part, gain in (gains | stage["by_split"]).items():
        if gain is not None:
            print(
                f"{label} | {part} | {gain['queries']} | {gain['present']:.4f} "
                f"| {gain['chosen']:.4f} | {gain['difference']:+.4f} "
                f"| {gain['low']:+.4f} to {gain['high']:+.4f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--chunking", action="store_true", help="Also tune the chunking.")
    parser.add_argument("folders", type=Path, nargs="*")
    stated = parser.parse_args()
    print("| collection | stage | best values | decision | part | n | now | best | gain | 95 % |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for folder in stated.folders or [TEST_DATA / "cranfield", TEST_DATA / "docs_qa"]:
        measure(folder, ["--chunking"] if stated.chunking else [])


if __name__ == "__main__":
    main()
