"""Measures nDCG, recall and MRR of each search mode, through the command line.

Usage: python benchmarks/retrieval_quality.py [FOLDER …]

Each FOLDER is in the BEIR layout (corpus.jsonl, queries.jsonl, qrels/test.tsv). The default is
cranfield and docs_qa of RAGLINE_TEST_DATA. `ragline sync` indexes the corpus and `ragline eval`
asks the queries, in a temporary RAGLINE_HOME.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
TEST_DATA = Path(os.environ.get("RAGLINE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
MODES = (["--mode", "vector"], ["--mode", "keyword"], ["--mode", "hybrid"], ["--rerank"])
MEASURES = ("ndcg@10", "recall@10", "recall@100", "mrr@10")
CONFIGURATION = """\
collections:
  - name: bench
sources:
  - name: bench-records
    collection: bench
    kind: records
    uri: {corpus}
"""


def run(home: Path, *arguments: str) -> dict[str, object]:
    """Run one command and return its JSON."""
    command = [sys.executable, "-m", "ragline", *arguments, "--json"]
    command += ["--config", str(home / "ragline.yaml")]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=REPOSITORY)
    return dict(json.loads(done.stdout))


def measure(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ragline-bench-") as name:
        home = Path(name)
        configuration = CONFIGURATION.format(corpus=(folder / "corpus.jsonl").resolve())
        (home / "ragline.yaml").write_text(configuration, encoding="utf-8")
        run(home, "sync")
        for options in MODES:
            scores = run(home, "eval", "bench", "--golden", str(folder), *options)
            figures = " | ".join(f"{scores[measure]:.4f}" for measure in MEASURES)
            label = "hybrid + rerank" if options == ["--rerank"] else options[1]
            per_query = 1e3 * float(str(scores["seconds"])) / int(str(scores["queries"]))
            print(f"| {folder.name} | {label} | {figures} | {per_query:.1f} |", flush=True)


def main() -> None:
    folders = [Path(argument) for argument in sys.argv[1:]]
    folders = folders or [TEST_DATA / "cranfield", TEST_DATA / "docs_qa"]
    print(f"| collection | search | {' | '.join(MEASURES)} | ms a query |")
    print("|---|---|---|---|---|---|---|")
    for folder in folders:
        measure(folder)


if __name__ == "__main__":
    main()
