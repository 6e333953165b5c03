"""Measures how close the embedding rate is to the processor's limit, and how long a query takes.

Run: python benchmarks/embedding_rate.py [FOLDER or FILE.jsonl] [--texts 600] [--tokens 180]

The limit is the speed of the model's forward passes over prepared arrays. The script compares it
with `Embedder.embed_texts`, which computes vectors from strings, and with sentence-transformers in
PyTorch float32. Each round times all of them, so that other load affects all of them. The printed
shares of the limit are medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ragline.embedder import Embedder, ModelTokenizer, load_embedder
from ragline.embedder.batching import longest_first, pad_rows, plan_batches
from ragline.embedder.model_files import DEFAULT_MODEL, find_model_files

TEXT_ENDINGS = {".txt", ".md", ".rst", ".html"}
QUERIES = ("what is the effect of heat on a thin shell", "release notes", "who may approve leave")


def main() -> None:
    arguments = read_arguments()
    embedder = load_embedder(arguments.model, cache=arguments.cache, backend=arguments.backend)
    texts = make_texts(arguments.texts_from, arguments.texts, arguments.tokens, embedder.tokenizer)
    counts = embedder.tokenizer.count_tokens(texts)
    print(f"{len(texts)} texts of {statistics.mean(counts):.0f} tokens, {embedder.encoder}")
    contenders = {
        "limit: forward passes": forward_passes(embedder, texts),
        "limit in batches of 16, padded to the longest": sixteens(embedder, texts),
        "embed_texts": lambda: embedder.embed_texts(texts),
        "embed_batches": lambda: list(embedder.embed_batches(texts)),
    }
    if not arguments.without_pytorch:
        contenders["sentence-transformers, PyTorch float32"] = pytorch_passes(
            arguments.model, texts
        )
    report_rates(time_rounds(contenders, arguments.rounds), len(texts))
    report_queries(embedder)
    report_late_interaction(embedder, texts[:20])


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("texts_from", nargs="?", type=Path, help="a folder, or JSON lines")
    parser.add_argument("--texts", type=int, default=600)
    parser.add_argument("--tokens", type=int, default=180, help="longest text")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--backend", default="auto")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "ragline-models"
    )
    parser.add_argument("--without-pytorch", action="store_true")
    return parser.parse_args()


def make_texts(
    source: Path | None, limit: int, tokens: int, tokenizer: ModelTokenizer
) -> list[str]:
    """Return up to `limit` pieces of text, each of at most `tokens` tokens.

    The text is read from `source`. If `source` is None, the text is generated.
    """
    found = read_texts(source) if source else write_texts()
    texts: list[str] = []
    for text in found:
        offsets = tokenizer.offsets(text)
        for first in range(0, len(offsets), tokens):
            last = min(first + tokens, len(offsets)) - 1
            texts.append(text[offsets[first][0] : offsets[last][1]])
        if len(texts) >= limit:
            break
    return texts[:limit]


def read_texts(source: Path) -> Iterator[str]:
    if source.is_file():
        for line in source.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)["text"]
        return
    for path in sorted(source.rglob("*")):
        if path.suffix in TEXT_ENDINGS:
            yield path.read_text(encoding="utf-8", errors="replace")


def write_texts() -> Iterator[str]:
    """Yield texts of 20 to 180 words without end. Each run yields the same texts."""
    generator = random.Random(0)  # noqa: S311 - no secret
    words = [
        "the",
        "of",
        "wing",
        "flow",
        "heat",
        "shell",
        "pressure",
        "boundary",
        "layer",
        "transition",
        "supersonic",
    ]
    while True:
        yield " ".join(generator.choices(words, k=generator.randint(20, 180)))


def forward_passes(embedder: Embedder, texts: list[str]) -> Callable[[], object]:
    rows = embedder.tokenizer.encode_documents(texts)
    backend, pad_id = embedder._backend, embedder.tokenizer.pad_id  # noqa: SLF001 - measured without the embedder
    batches = [
        pad_rows([rows[index] for index in indices], width, pad_id)
        for width, indices in plan_batches([len(row) for row in rows], backend.batch_tokens)
    ]
    return lambda: run_arrays(embedder, batches)


def sixteens(embedder: Embedder, texts: list[str]) -> Callable[[], object]:
    rows = embedder.tokenizer.encode_documents(texts)
    order = longest_first([len(row) for row in rows])
    groups = [[rows[i] for i in order[first : first + 16]] for first in range(0, len(order), 16)]
    pad_id = embedder.tokenizer.pad_id
    batches = [pad_rows(group, max(len(row) for row in group), pad_id) for group in groups]
    return lambda: run_arrays(embedder, batches)


def run_arrays(embedder: Embedder, batches: list[tuple[np.ndarray, np.ndarray]]) -> object:
    backend = embedder._backend  # noqa: SLF001 - measured without the embedder
    with ThreadPoolExecutor(backend.parallel_batches) as threads:
        return list(threads.map(lambda batch: backend.embed_batch(*batch), batches))


def pytorch_passes(model: str, texts: list[str]) -> Callable[[], object]:
    from sentence_transformers import SentenceTransformer

    loaded = SentenceTransformer(str(find_model_files(model).folder), device="cpu")
    return lambda: loaded.encode(texts, batch_size=16, show_progress_bar=False)


def time_rounds(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each variant in each round. A first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for lap in range(rounds + 1):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            if lap:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def report_rates(seconds: dict[str, list[float]], text_count: int) -> None:
    limit = next(iter(seconds.values()))
    print(f"\n{'texts/s':>8} {'best':>7} {'of the limit':>13}")
    for name, laps in seconds.items():
        share = statistics.median(most / own for most, own in zip(limit, laps, strict=True))
        median, best = text_count / statistics.median(laps), text_count / min(laps)
        print(f"{median:8.1f} {best:7.1f} {share:13.0%}  {name}")


def report_queries(embedder: Embedder) -> None:
    laps: list[float] = []
    for turn in range(90):
        started = time.perf_counter()
        embedder.embed_query(QUERIES[turn % len(QUERIES)])
        laps.append(1e3 * (time.perf_counter() - started))
    median, late = np.percentile(laps[9:], [50, 95])
    print(f"\nembed_query: median {median:.1f} ms, 95th percentile {late:.1f} ms")


def report_late_interaction(embedder: Embedder, texts: list[str]) -> None:
    laps: list[float] = []
    for _ in range(6):
        started = time.perf_counter()
        embedder.embed_tokens(texts)
        laps.append(1e3 * (time.perf_counter() - started))
    print(f"embed_tokens of {len(texts)} candidates: median {statistics.median(laps[1:]):.0f} ms")


if __name__ == "__main__":
    main()
