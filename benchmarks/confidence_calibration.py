"""Measures how well the confidence of hits agrees with judgements, on cranfield and docs_qa.

Usage: python benchmarks/confidence_calibration.py [--picture FILE] [--queries N] [FOLDER FOLDER]

Each of the two FOLDERs has the BEIR layout. The default folders are docs_qa and cranfield in the
folder RAGLINE_TEST_DATA. The queries without an answer in one collection are queries of the other
one, as many as it has queries itself. With N, only the first N queries of each collection are used.
The script prints three tables:

- Models: logistic and isotonic models on different evidence, by cross-validation over all queries.
- Kinds: the model that Ragline uses, fitted to the split `tune` and measured on the other half.
- Thresholds: the share of queries that get an answer, and the share of silence, on that half.

FILE is an SVG image with the reliability of the first collection on that half.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from ragline.charts import Series, draw_line_image
from ragline.confidence.calibration import SearchKind
from ragline.confidence.fitting import FOLDS, JudgedHits, fit_calibration, rate_hits
from ragline.confidence.reliability import GROUPS, Floats, Reliability, measure_reliability
from ragline.configuration import CollectionSettings, load_configuration
from ragline.evaluation.calibration_run import KINDS, SPLIT, collect_hits
from ragline.golden_set import GoldenSet, read_golden_set
from ragline.golden_set.splits import choose_split
from ragline.search.searcher import Searcher
from ragline.storage.database import open_database

REPOSITORY = Path(__file__).parent.parent
TEST_DATA = Path(os.environ.get("RAGLINE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
CONFIGURATION = """\
collections:
  - name: bench
sources:
  - name: bench-records
    collection: bench
    kind: records
    uri: {corpus}
"""
SETTINGS = CollectionSettings(name="bench")
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
HYBRID, RERANKED = SearchKind("hybrid", is_reranked=False), SearchKind("hybrid", is_reranked=True)

# A model takes known hits and the evidence of other hits, and returns the confidences of these.
Model = Callable[[JudgedHits, Floats], Floats]


@contextmanager
def open_index(folder: Path) -> Iterator[Searcher]:
    """Index a collection in a temporary home, and open a searcher for it."""
    with tempfile.TemporaryDirectory(prefix="ragline-bench-") as name:
        path = Path(name) / "ragline.yaml"
        corpus = (folder / "corpus.jsonl").resolve()
        path.write_text(CONFIGURATION.format(corpus=corpus), encoding="utf-8")
        command = [sys.executable, "-m", "ragline", "sync", "--config", str(path), "--json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=REPOSITORY)
        configuration = load_configuration(path)
        with open_database(configuration) as database:
            yield Searcher(database, configuration)


def take_first(golden: GoldenSet, count: int | None) -> GoldenSet:
    """Return the golden set with its first queries only."""
    first = dict(islice(golden.queries.items(), count))
    judgements = {key: golden.judgements[key] for key in first}
    return replace(golden, queries=first, judgements=judgements)


def add_unanswerable(golden: GoldenSet, other: GoldenSet) -> GoldenSet:
    """Return the golden set with queries of another collection, which have no answer here."""
    chosen = islice(other.queries.items(), len(golden.queries))
    return replace(golden, unanswerable={f"other-{key}": query for key, query in chosen})


def rate_logistic(known: JudgedHits, values: Floats) -> Floats:
    return rate_hits(fit_calibration(known), values)


def rate_isotonic(known: JudgedHits, values: Floats) -> Floats:
    """An isotonic model of the first piece of evidence."""
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    model.fit(known.values[:, 0], known.is_relevant)
    return np.asarray(model.predict(values[:, 0]))


def rate_stacked(known: JudgedHits, values: Floats) -> Floats:
    """An isotonic model of the result of a logistic model."""
    calibration = fit_calibration(known)
    as_evidence = replace(known, values=rate_hits(calibration, known.values)[:, None])
    return rate_isotonic(as_evidence, rate_hits(calibration, values)[:, None])


def rate_constant(known: JudgedHits, values: Floats) -> Floats:
    return np.full(len(values), known.is_relevant.mean())


def cross_validate(model: Model, hits: JudgedHits) -> Reliability:
    """Measure a model on queries that it does not know."""
    confidences = np.empty(len(hits.is_relevant))
    for fold in range(FOLDS):
        left_out = hits.queries % FOLDS == fold
        confidences[left_out] = model(hits.choose(~left_out), hits.values[left_out])
    return measure_reliability(confidences, hits.is_relevant)


def print_models(name: str, hits: dict[SearchKind, JudgedHits]) -> None:
    hybrid, reranked = hits[HYBRID], hits[RERANKED]
    cosine = replace(hybrid, values=hybrid.values[:, :1])
    share = replace(hybrid, values=hybrid.values[:, 1:])
    scores = replace(reranked, values=reranked.values[:, 2:])
    for label, model, known in (
        ("constant", rate_constant, hybrid),
        ("isotonic, cosine", rate_isotonic, cosine),
        ("logistic, cosine", rate_logistic, cosine),
        ("isotonic, keyword share", rate_isotonic, share),
        ("logistic, keyword share", rate_logistic, share),
        ("logistic, both", rate_logistic, hybrid),
        ("logistic, both, then isotonic", rate_stacked, hybrid),
        ("reranked: isotonic, score", rate_isotonic, scores),
        ("reranked: logistic, all three", rate_logistic, reranked),
        ("reranked: logistic, then isotonic", rate_stacked, reranked),
    ):
        found = cross_validate(model, known)
        print(
            f"| {name} | {label} | {found.expected_calibration_error:.3f} | {found.brier:.4f} |",
            flush=True,
        )


def rate_other_half(hits: JudgedHits, keys: list[str]) -> tuple[JudgedHits, Floats]:
    """Fit Ragline's model to the split `tune`; return the other hits with their confidences."""
    tuned = {number for number, key in enumerate(keys) if choose_split(key) == SPLIT}
    is_tuned = np.isin(hits.queries, list(tuned))
    other = hits.choose(~is_tuned)
    return other, rate_logistic(hits.choose(is_tuned), other.values)


def print_kinds(name: str, hits: dict[SearchKind, JudgedHits], keys: list[str]) -> None:
    for kind, found in hits.items():
        other, confidences = rate_other_half(found, keys)
        figures = measure_reliability(confidences, other.is_relevant)
        print(
            f"| {name} | {kind.label} | {figures.hits:,} | {figures.relevant:,} | "
            f"{figures.expected_calibration_error:.3f} | {figures.brier:.4f} | "
            f"{figures.base_brier:.4f} |"
        )


def print_thresholds(
    name: str, kind: SearchKind, hits: JudgedHits, keys: list[str], answerable: set[str]
) -> None:
    """Print the shares of answers, and of answers with a relevant hit, and the share of silence."""
    other, confidences = rate_other_half(hits, keys)
    queries = [number for number, key in enumerate(keys) if choose_split(key) != SPLIT]
    for least in THRESHOLDS:
        kept = confidences >= least
        answered = set(other.queries[kept])
        good = set(other.queries[kept & (other.is_relevant > 0)])
        own = [number for number in queries if keys[number] in answerable]
        none = [number for number in queries if keys[number] not in answerable]
        shares = (
            sum(one in answered for one in own) / len(own),
            sum(one in good for one in own) / len(own),
            sum(one not in answered for one in none) / len(none),
        )
        print(f"| {name} | {kind.label} | {least} | {' | '.join(f'{one:.0%}' for one in shares)} |")


def draw_reliability(title: str, figures: dict[str, Reliability]) -> str:
    """Draw the share of relevant hits in each group of confidences."""
    middles = [(number + 0.5) / GROUPS for number in range(GROUPS)]
    lines = [Series("exact confidence", middles)]
    for name, found in figures.items():
        shares = {int(one.mean_confidence * GROUPS): one.relevant_share for one in found.groups}
        lines.append(Series(name, [shares.get(number) for number in range(GROUPS)]))
    return draw_line_image(
        title, [f"{one:.2f}" for one in middles], lines,
        x_label="confidence", y_label="share of relevant hits", top=1.0,
    )  # fmt: skip


def collect(folder: Path, golden: GoldenSet) -> tuple[dict[SearchKind, JudgedHits], list[str]]:
    with open_index(folder) as searcher:
        live = searcher.live_generation(SETTINGS.name).id
        hits = {kind: collect_hits(searcher, SETTINGS, golden, kind, live) for kind in KINDS}
    return hits, list(golden.queries | golden.unanswerable)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--picture", type=Path)
    arguments.add_argument("--queries", type=int)
    arguments.add_argument("folders", type=Path, nargs="*")
    stated = arguments.parse_args()
    folders = stated.folders or [TEST_DATA / "docs_qa", TEST_DATA / "cranfield"]
    sets = [take_first(read_golden_set(folder), stated.queries) for folder in folders]
    golden = [add_unanswerable(sets[0], sets[1]), add_unanswerable(sets[1], sets[0])]
    found = [collect(folder, one) for folder, one in zip(folders, golden, strict=True)]
    print("| collection | model | expected calibration error | Brier score |\n|---|---|---|---|")
    for folder, (hits, _) in zip(folders, found, strict=True):
        print_models(folder.name, hits)
    print("\n| collection | search | hits | relevant | expected calibration error | Brier score | "
          "Brier score of a constant |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for folder, (hits, keys) in zip(folders, found, strict=True):
        print_kinds(folder.name, hits, keys)
    print("\n| collection | search | threshold | answered | with a relevant hit | silent |\n"
          "|---|---|---|---|---|---|")  # fmt: skip
    for folder, one, (hits, keys) in zip(folders, golden, found, strict=True):
        for kind in (HYBRID, RERANKED):
            print_thresholds(folder.name, kind, hits[kind], keys, set(one.queries))
    if stated.picture is not None:
        hits, keys = found[0]
        figures = {}
        for kind in (HYBRID, RERANKED):
            other, confidences = rate_other_half(hits[kind], keys)
            figures[kind.label] = measure_reliability(confidences, other.is_relevant)
        title = f"Confidence of {folders[0].name}"
        stated.picture.write_text(draw_reliability(title, figures), encoding="utf-8")


if __name__ == "__main__":
    main()
