"""Measures how well chunks of several sizes find the passages that answer questions.

Run: python benchmarks/chunking_quality.py [--sizes 128 200 254] [--overlaps 0 20]
     [--collections docs_qa cranfield]

The script ranks the chunks of two long documents for each of 220 questions, by vectors only. It
compares the first chunks with the spans that contain the answers. It prints three measures. The
recall is the share of the spans' characters that were returned. The precision is the share of the
returned characters that are in a span. The third measure is the intersection over union.

Five large chunks contain more text than five small ones. So the script also compares sizes at an
equal number of tokens: it takes the first chunks up to 1,000 tokens. The last of these chunks
counts by the share of its tokens that fits.

With `--collections`, the script also prints the nDCG@10 of whole documents. The rank of a document
is the rank of its best chunk. The speed of chunking is printed together with its limit. The limit
is the speed at which the tokenizer makes two passes over the same text.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt

from ragline.chunking import Chunk, chunk_document
from ragline.embedder import Embedder, ModelTokenizer, load_embedder
from ragline.embedder.model_files import DEFAULT_MODEL
from ragline.evaluation.evaluation import measure_run
from ragline.golden_set import read_golden_set
from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.readers.dispatch import ReaderDispatch

FIRST_CHUNKS = 5
TOKENS_READ = 1000
# The number of ranked chunks that are compared. They have more than TOKENS_READ tokens, and they
# belong to more than ten documents, which nDCG@10 and recall@10 need.
CANDIDATES = 400

Floats = npt.NDArray[np.float32]
Span = tuple[int, int]


@dataclass(frozen=True)
class Budget:
    """The settings of a collection that determine the size of its chunks."""

    max_tokens: int
    overlap_tokens: int


@dataclass(frozen=True)
class Question:
    text: str
    document: str
    spans: list[Span]


@dataclass(frozen=True)
class SpanScore:
    recall: float
    precision: float
    iou: float

    def towards(self, other: SpanScore, share: float) -> SpanScore:
        """Return this score plus `share` of the difference to another score."""
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return SpanScore(*(own + share * (its - own) for own, its in pairs))


class RememberingEmbedder:
    """An embedder that embeds a text only once, because several settings make equal chunks."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._vectors: dict[str, Floats] = {}

    def embed_texts(self, texts: Sequence[str]) -> Floats:
        new = list(dict.fromkeys(text for text in texts if text not in self._vectors))
        self._vectors.update(zip(new, self._embedder.embed_texts(new), strict=True))
        return np.stack([self._vectors[text] for text in texts])


def main() -> None:
    arguments = read_arguments()
    with tempfile.TemporaryDirectory() as made:
        cache = arguments.cache or Path(made)
        embedder = load_embedder(arguments.model, cache=cache)
        remembering = RememberingEmbedder(embedder)
        budgets = [Budget(size, some) for some in arguments.overlaps for size in arguments.sizes]
        documents = read_documents(arguments.data / "span_questions" / "documents")
        report_speed(list(documents.values()), budgets[0], embedder.tokenizer)
        questions = read_questions(arguments.data / "span_questions" / "questions.jsonl")
        report_spans(documents, questions, budgets, remembering, embedder.tokenizer)
        for name in arguments.collections:
            report_documents(arguments.data / name, budgets, remembering, embedder.tokenizer)


def read_arguments() -> argparse.Namespace:
    data = Path(__file__).parents[1].parent / "shared" / "data"
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 96, 128, 160, 200, 254])
    parser.add_argument("--overlaps", nargs="+", type=int, default=[0, 20, 40])
    parser.add_argument("--collections", nargs="*", default=[], help="folders in the BEIR layout")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--cache", type=Path, help="the folder of exported models")
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("RAGLINE_TEST_DATA", data), help="test data"
    )
    return parser.parse_args()


def read_documents(folder: Path) -> dict[str, ParsedDocument]:
    """Return the parsed documents by name.

    The spans of the questions are character positions in the files. So the text of a parsed
    document must be the text of its file.
    """
    documents = {}
    for path in sorted(folder.iterdir()):
        parsed = ReaderDispatch().parse_document(path.read_bytes(), path.name)
        assert parsed.text == path.read_bytes().decode(), f"{path}: the reader changed the text"
        documents[f"{folder.name}/{path.name}"] = parsed
    return documents


def read_questions(path: Path) -> list[Question]:
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [
        Question(row["text"], row["document"], [(s["start"], s["end"]) for s in row["spans"]])
        for row in rows
    ]


def report_speed(
    documents: Sequence[ParsedDocument], budget: Budget, tokenizer: ModelTokenizer
) -> None:
    megabytes = sum(len(document.text) for document in documents) / 1e6
    started = time.perf_counter()
    chunks = [chunk for one in documents for chunk in chunk_document(one, budget, tokenizer)]
    chunking = time.perf_counter() - started
    started = time.perf_counter()
    for document in documents:
        tokenizer.offsets(document.text)
    tokenizer.count_tokens([chunk.text for chunk in chunks])
    limit = time.perf_counter() - started
    print(
        f"chunking {megabytes / chunking:.2f} MB/s, limit {megabytes / limit:.2f} MB/s "
        f"(two passes of the tokenizer), share {limit / chunking:.0%}\n"
    )


def report_spans(
    documents: dict[str, ParsedDocument],
    questions: Sequence[Question],
    budgets: Sequence[Budget],
    embedder: RememberingEmbedder,
    tokenizer: ModelTokenizer,
) -> None:
    columns = [f"{name}@{at}" for at in ("5", "1000 tokens") for name in ("recall", "prec", "IoU")]
    print("| max | overlap | chunks | tokens | " + " | ".join(columns) + " |")
    print("|---|---|---|---|" + "---|" * len(columns))
    queries = embedder.embed_texts([question.text for question in questions])
    for budget in budgets:
        chunks = [
            (name, chunk)
            for name, document in documents.items()
            for chunk in chunk_document(document, budget, tokenizer)
        ]
        rankings = rank(chunks, queries, embedder)
        pairs = list(zip(questions, rankings, strict=True))
        first = mean_score([score_first(one, ranked, FIRST_CHUNKS) for one, ranked in pairs])
        read = mean_score([score_tokens(one, ranked, TOKENS_READ) for one, ranked in pairs])
        tokens = fmean(chunk.token_count for _, chunk in chunks)
        scores = [f"{x:.3f}" for x in (*dataclasses.astuple(first), *dataclasses.astuple(read))]
        setting = f"| {budget.max_tokens} | {budget.overlap_tokens} | {len(chunks)} | {tokens:.0f}"
        print(setting + " | " + " | ".join(scores) + " |", flush=True)


def rank(
    chunks: Sequence[tuple[str, Chunk]], queries: Floats, embedder: RememberingEmbedder
) -> Iterator[list[tuple[str, Chunk]]]:
    """Yield for each query its nearest chunks, nearest first."""
    vectors = embedder.embed_texts([chunk.embedded_text for _, chunk in chunks])
    for scores in queries @ vectors.T:
        yield [chunks[index] for index in np.argsort(-scores, kind="stable")[:CANDIDATES]]


def score_first(question: Question, ranked: Sequence[tuple[str, Chunk]], count: int) -> SpanScore:
    """Score how well the first `count` chunks of a ranking cover the spans of the answer."""
    returned, found = 0, 0
    for document in {name for name, _ in ranked[:count]}:
        spans = [(c.char_start, c.char_end) for name, c in ranked[:count] if name == document]
        merged = merge_spans(spans)
        returned += sum(end - start for start, end in merged)
        if document == question.document:
            found = shared_chars(merged, question.spans)
    expected = sum(end - start for start, end in question.spans)
    union = expected + returned - found
    return SpanScore(found / expected, found / max(1, returned), found / union)


def score_tokens(question: Question, ranked: Sequence[tuple[str, Chunk]], tokens: int) -> SpanScore:
    """Score the first chunks that fit into `tokens`, and a share of the next chunk.

    The share is the part of the next chunk's tokens that still fits.
    """
    count = 0
    while count < len(ranked) and ranked[count][1].token_count <= tokens:
        tokens -= ranked[count][1].token_count
        count += 1
    score = score_first(question, ranked, count)
    if count == len(ranked):
        return score
    following = score_first(question, ranked, count + 1)
    return score.towards(following, tokens / ranked[count][1].token_count)


def merge_spans(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def shared_chars(first: Sequence[Span], second: Sequence[Span]) -> int:
    return sum(max(0, min(b, d) - max(a, c)) for a, b in first for c, d in second)


def mean_score(scores: Sequence[SpanScore]) -> SpanScore:
    return SpanScore(
        fmean(score.recall for score in scores),
        fmean(score.precision for score in scores),
        fmean(score.iou for score in scores),
    )


def report_documents(
    folder: Path,
    budgets: Sequence[Budget],
    embedder: RememberingEmbedder,
    tokenizer: ModelTokenizer,
) -> None:
    """Print nDCG@10 and recall@10 of documents, which are ranked by vectors only.

    The rank of a document is the rank of its best chunk.
    """
    golden = read_golden_set(folder)
    documents = dict(read_corpus(folder / "corpus.jsonl"))
    queries = embedder.embed_texts(list(golden.queries.values()))
    print(f"\n{folder.name}, {len(documents)} documents, {len(golden.queries)} queries")
    print("| max | overlap | chunks | nDCG@10 | recall@10 |\n|---|---|---|---|---|")
    for budget in budgets:
        chunks = [
            (name, chunk)
            for name, document in documents.items()
            for chunk in chunk_document(document, budget, tokenizer)
        ]
        # A dictionary keeps the first rank of each document, which is the rank of its best chunk.
        rankings = (
            dict.fromkeys(name for name, _ in one) for one in rank(chunks, queries, embedder)
        )
        run = {
            key: {name: -float(place) for place, name in enumerate(names)}
            for key, names in zip(golden.queries, rankings, strict=True)
        }
        measures = measure_run(golden.judgements, run)
        print(
            f"| {budget.max_tokens} | {budget.overlap_tokens} | {len(chunks)} "
            f"| {measures['ndcg@10']:.3f} | {measures['recall@10']:.3f} |",
            flush=True,
        )


def read_corpus(path: Path) -> Iterator[tuple[str, ParsedDocument]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["text"].strip():
            parsed = ReaderDispatch().parse_document(row["text"].encode(), "record.txt")
            yield row["_id"], dataclasses.replace(parsed, title=row.get("title"))


if __name__ == "__main__":
    main()
