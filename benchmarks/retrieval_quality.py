"""Measures nDCG, recall and MRR of each search mode, through the command line.

Usage: python benchmarks/retrieval_quality.py [--reranker NAME] [FOLDER …]

Each FOLDER has the BEIR layout (corpus.jsonl, queries.jsonl, qrels/test.tsv). The default folders
are cranfield and docs_qa in the folder RAGLINE_TEST_DATA. `ragline sync` indexes the corpus, and
`ragline eval` searches for the queries. Both use a temporary home. NAME is a value of the setting
`reranker`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ragline.configuration import CollectionSettings
from ragline.configuration.collection_settings import MEASURES

REPOSITORY = Path(__file__).parent.parent
TEST_DATA = Path(os.environ.get("RAGLINE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
MODES = (["--mode", "vector"], ["--mode", "keyword"], ["--mode", "hybrid"], ["--rerank"])
CONFIGURATION = """\
collections:
  - name: bench
    reranker: {reranker}
sources:
  - name: bench-records
    collection: bench
    kind: records
    uri: {corpus}
"""


def run(home: Path, *arguments: str) -> dict[str, object]:
    """Run one command and return its JSON output."""
    command = [sys.executable, "-m", "ragline", *arguments, "--json"]
    command += ["--config", str(home / "ragline.yaml")]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=REPOSITORY)
    return dict(json.loads(done.stdout))


def measure(folder: Path, reranker: str) -> None:
    with tempfile.TemporaryDirectory(prefix="ragline-bench-") as name:
        home = Path(name)
        corpus = (folder / "corpus.jsonl").resolve()
        configuration = CONFIGURATION.format(corpus=corpus, reranker=reranker)
        (home / "ragline.yaml").write_text(configuration, encoding="utf-8")
        run(home, "sync")
        for options in MODES:
            scores = run(home, "eval", "bench", "--golden", str(folder), *options)
            figures = " | ".join(f"{scores[measure]:.4f}" for measure in MEASURES)
            label = "hybrid + rerank" if options == ["--rerank"] else options[1]
            per_query = 1e3 * float(str(scores["seconds"])) / int(str(scores["queries"]))
            print(f"| {folder.name} | {label} | {figures} | {per_query:.1f} |", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument(
        "--reranker", default=CollectionSettings.model_fields["reranker"].default
    )
    arguments.add_argument("folders", type=Path, nargs="*")
    stated = arguments.parse_args()
    folders = stated.folders or [TEST_DATA / "cranfield", TEST_DATA / "docs_qa"]
    print(f"| collection | search | {' | '.join(MEASURES)} | ms a query |")
    print("|---|---|---|---|---|---|---|")
    for folder in folders:
        measure(folder, stated.reranker)


if __name__ == "__main__":
    main()
