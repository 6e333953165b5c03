"""Compares the rate of a sync with its limit: the forward passes of the model.

Usage: python benchmarks/sync_rate.py [FOLDER]

The script runs the stages read, chunk, embed, index and publish in this process, with an empty
database. FOLDER is a folder of files; the default is peps/base in the folder RAGLINE_TEST_DATA.
The script also runs only the embedding model over every fifth text that the sync embeds. These
texts are already tokenized, sorted and batched. It does this before the stage embed and again
after the stage publish, so that a change in the speed of the machine affects both rates. It prints
both rates and their ratio.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from embedding_rate import forward_passes
from sqlalchemy import text

from ragline.configuration import load_configuration
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.embeddings import embed_chunks
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.search_index import publish_index
from ragline.progress import TerminalProgress
from ragline.storage.database import open_database

REPOSITORY = Path(__file__).parent.parent
TEST_DATA = Path(os.environ.get("RAGLINE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
Stage = Callable[[RunContext, str], object]
STAGES: tuple[Stage, ...] = (sync_documents, build_chunks, embed_chunks, apply_entries)
# The forward pass is timed on every fifth text.
SAMPLE = 5


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else TEST_DATA / "peps" / "base"
    with tempfile.TemporaryDirectory(prefix="ragline-bench-") as name:
        path = Path(name) / "ragline.yaml"
        path.write_text(
            f"sources: [{{name: files, collection: bench, kind: files, uri: '{folder}'}}]\n",
            encoding="utf-8",
        )
        measure(RunContext, path)


def measure(make: type[RunContext], path: Path) -> None:
    configuration = load_configuration(path)
    model = configuration.collections[0].embedding_model
    with open_database(configuration) as database:
        run_context = make(configuration, database, "bench", TerminalProgress())
        # The first use on a machine exports the model. This is not part of the rate of a sync.
        run_context.embedder(model).embed_query("warm")
        seconds = run_stages(run_context, STAGES[:2])
        with database.connect() as connection:
            statement = "select distinct on (text_hash) header || text from ragline.chunks"
            texts = list(connection.execute(text(statement)).scalars())
        forward = forward_passes(run_context.embedder(model), texts[::SAMPLE])
        before = time_call(forward)
        seconds |= run_stages(run_context, STAGES[2:])
        seconds["publish_index"] = time_call(lambda: publish_index(run_context, "bench"))
        after = time_call(forward)
    report(seconds, len(texts), SAMPLE * (before + after) / 2)


def run_stages(run_context: RunContext, stages: tuple[Stage, ...]) -> dict[str, float]:
    return {stage.__name__: time_call(lambda s=stage: s(run_context, "files")) for stage in stages}


def time_call(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def report(seconds: dict[str, float], count: int, limit: float) -> None:
    total = sum(seconds.values())
    for stage_name, spent in seconds.items():
        print(f"{stage_name:<16}{spent:8.1f} s")
    print(f"{'whole path':<16}{total:8.1f} s   {count / total:6.1f} chunks/s")
    print(f"{'forward pass':<16}{limit:8.1f} s   {count / limit:6.1f} chunks/s (the limit)")
    print(f"share of the limit: {limit / total:.1%}")


if __name__ == "__main__":
    main()
