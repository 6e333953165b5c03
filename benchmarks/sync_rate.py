"""How near a sync comes to its limit: the forward pass of the model over the same texts.

Usage: python benchmarks/sync_rate.py [FOLDER]

Runs the path read, chunk, embed, place, publish over a folder of files (default: peps/base of
RAGLINE_TEST_DATA) into an empty database, in this process; then the embedding model alone over
the very texts that the sync embedded, tokenised, sorted and batched beforehand. Prints both
rates and the share.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from embedding_rate import forward_passes
from sqlalchemy import text

from ragline.configuration import load_configuration
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.embeddings import embed_chunks
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.search_index import publish_index
from ragline.lifecycle.workshop import Workshop
from ragline.progress import TerminalProgress
from ragline.storage.database import open_database

REPOSITORY = Path(__file__).parent.parent
TEST_DATA = Path(os.environ.get("RAGLINE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
STAGES = (sync_documents, build_chunks, embed_chunks, apply_entries)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else TEST_DATA / "peps" / "base"
    with tempfile.TemporaryDirectory(prefix="ragline-bench-") as name:
        path = Path(name) / "ragline.yaml"
        path.write_text(
            f"sources: [{{name: files, collection: bench, kind: files, uri: '{folder}'}}]\n",
            encoding="utf-8",
        )
        measure(Workshop, path)


def measure(make: type[Workshop], path: Path) -> None:
    configuration = load_configuration(path)
    with open_database(configuration) as database:
        workshop = make(configuration, database, "bench", TerminalProgress())
        model = configuration.collections[0].embedding_model
        workshop.embedder(model).embed_query("warm")
        seconds: dict[str, float] = {}
        for stage in STAGES:
            started = time.perf_counter()
            stage(workshop, "files")
            seconds[stage.__name__] = time.perf_counter() - started
        started = time.perf_counter()
        publish_index(workshop, "bench")
        seconds["publish_index"] = time.perf_counter() - started
        with database.connect() as connection:
            texts = list(
                connection.execute(
                    text("select distinct on (text_hash) header || text from ragline.chunks")
                ).scalars()
            )
        forward = forward_passes(workshop.embedder(model), texts)
        started = time.perf_counter()
        forward()
        limit = time.perf_counter() - started
    total = sum(seconds.values())
    for stage_name, spent in seconds.items():
        print(f"{stage_name:<16}{spent:8.1f} s")
    print(f"{'whole path':<16}{total:8.1f} s   {len(texts) / total:6.1f} chunks/s")
    print(f"{'forward pass':<16}{limit:8.1f} s   {len(texts) / limit:6.1f} chunks/s (the limit)")
    print(f"share of the limit: {limit / total:.1%}")


if __name__ == "__main__":
    main()
