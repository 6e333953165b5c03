"""How well chunks of several sizes find the passages that answer questions.

    python benchmarks/chunking_quality.py [--sizes 64 128 200 254] [--overlaps 0 20 40]

Embeds the chunks of two long documents with the default model, ranks them for each of 220
questions by vector alone, and measures the characters of the answers' spans: recall (share
found), precision (share of what was returned that is answer) and intersection over union,
for the first five chunks and for the first 1,000 tokens of chunks. Five large chunks hold
more than five small ones, so sizes compare at equal tokens only.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from ragline.chunking import Chunk, chunk_document
from ragline.embedder.tokenizer import TokenCounter
from ragline.parsing.parsed_document import Element, ParsedDocument

TOKEN_BUDGET = 1000
FIRST_CHUNKS = 5

Embed = Callable[[Sequence[str]], np.ndarray]
Spans = list[tuple[int, int]]


@dataclass(frozen=True)
class Budget:
    max_tokens: int
    overlap_tokens: int


@dataclass(frozen=True)
class SpanScore:
    """Means over questions, 0 to 1."""

    recall: float
    precision: float
    iou: float


@dataclass(frozen=True)
class Question:
    text: str
    document: str
    spans: Spans


def data_folder() -> Path:
    default = Path(__file__).parents[1].parent / "shared" / "data"
    return Path(os.environ.get("RAGLINE_TEST_DATA", default))


def read_questions(folder: Path) -> list[Question]:
    rows = [json.loads(line) for line in (folder / "questions.jsonl").open(encoding="utf-8")]
    return [
        Question(r["text"], r["document"], [(s["start"], s["end"]) for s in r["spans"]])
        for r in rows
    ]


def split_paragraphs(text: str) -> ParsedDocument:
    """A plain text as its paragraphs, offsets kept: what the questions' spans refer to."""
    elements = []
    start = 0
    for paragraph in text.split("\n\n"):
        end = start + len(paragraph)
        if paragraph.strip():
            elements.append(Element("text", start, end))
        start = end + 2
    return ParsedDocument(text, tuple(elements), "md")


def overlap(first: Spans, second: Spans) -> int:
    """Characters that two lists of spans share; each list must not overlap itself."""
    return sum(max(0, min(b, d) - max(a, c)) for a, b in first for c, d in second)


def union(spans: Spans) -> Spans:
    merged: Spans = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def length(spans: Spans) -> int:
    return sum(end - start for start, end in spans)


@dataclass(frozen=True)
class Retrieval:
    """Ranked chunks of one question, each with its document."""

    question: Question
    ranked: list[tuple[str, Chunk]]

    def score_first(self, count: int) -> SpanScore:
        own = [(c.char_start, c.char_end) for d, c in self.ranked[:count] if d == self.question.document]
        returned = length(union(own)) + sum(
            c.char_end - c.char_start for d, c in self.ranked[:count] if d != self.question.document
        )
        expected = length(self.question.spans)
        found = overlap(union(own), self.question.spans)
        return SpanScore(found / expected, found / max(1, returned), found / (expected + returned - found))

    def score_tokens(self, budget: int) -> SpanScore:
        """The score of as many chunks as fit, the last one counting by its share that does."""
        used, count = 0, 0
        while count < len(self.ranked) and used + self.ranked[count][1].token_count <= budget:
            used += self.ranked[count][1].token_count
            count += 1
        below = self.score_first(count)
        if count == len(self.ranked):
            return below
        share = (budget - used) / self.ranked[count][1].token_count
        above = self.score_first(count + 1)
        return SpanScore(
            *(
                (1 - share) * getattr(below, name) + share * getattr(above, name)
                for name in ("recall", "precision", "iou")
            )
        )


def mean_score(scores: Sequence[SpanScore]) -> SpanScore:
    return SpanScore(
        fmean(s.recall for s in scores), fmean(s.precision for s in scores), fmean(s.iou for s in scores)
    )
