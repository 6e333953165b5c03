"""Index cards: the licence of a model, and a card as Markdown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ragline.embedder.model_files import DEFAULT_MODEL, find_stored_folder
from ragline.index_card.card import (
    CardApproval,
    CardCheck,
    CardClock,
    CardEvaluation,
    CardEvent,
    CardFingerprints,
    CardGaps,
    CardGate,
    CardIndex,
    CardModel,
    CardSource,
    HeldDocuments,
    IndexCard,
    StaleSource,
    UnansweredTopic,
    UnreadDocuments,
)
from ragline.index_card.markdown import write_markdown
from ragline.index_card.model_facts import find_licence

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
CLOCK = CardClock(600.0, 0.0, "kept")
CARD = IndexCard(
    collection="handbook",
    generation=7,
    state="live",
    made_at=NOON,
    code_version="0.5.0+g1a2b3c4d5e6f",
    created_at=NOON,
    promoted_at=NOON,
    retired_at=None,
    held_at=None,
    model=CardModel("a/model", 384, 256, "", "passage: ", "f" * 64, "unknown", "no file states it"),
    fingerprints=CardFingerprints("space", "chunker", ("old", "new"), "content"),
    settings={"chunking": {"max_tokens": 200}, "language": "english"},
    search={"candidates": 100, "reranker": "late-interaction"},
    index=CardIndex(12, 34, 560, 81_920, "hnsw", 4_096, {"m": 16, "ef_construction": 64}),
    sources=(
        CardSource(
            "files|all", "files", {"ready": 12, "failed": 1}, 12, 34, NOON, None, NOON, 90.0,
            CLOCK, replace(CLOCK, state="late", waiting_seconds=3_600.0),
        ),
    ),
    gate=CardGate(3, "refused", ("nDCG@10 falls.",), 6, "g" * 64, "0.5.0", 11, "ada", NOON,
                  (CardCheck("sync_proof", "passed", "It agrees."),
                   CardCheck("ndcg@10", "refused", "nDCG@10 falls."))),
    evaluations=(
        CardEvaluation(5, NOON, "hybrid", True, "g" * 64, "gate", {"ndcg@10": 0.61237}, 80, None),
    ),
    gaps=CardGaps(
        (UnreadDocuments("files|all", "quarantined", "EncryptedDocumentError", 2),),
        (HeldDocuments("files|all", 11, NOON),),
        (StaleSource("files|all", "a removal has waited 1 hour; the limit is 10 minutes"),),
        (UnansweredTopic("park car", 9),),
    ),
    approvals=(CardApproval(NOON, "ben", "known fall", 3),),
    trail=(CardEvent("candidate", "live", NOON, "ada", None, 3, is_forced=True),),
)  # fmt: skip


def test_markdown_names_everything_that_a_reader_of_the_card_needs() -> None:
    text = write_markdown(CARD)
    for part in (
        "# Index card of handbook, generation 7",
        "| files\\|all | files | 12 | 34 | 12 ready, 1 failed | 2026-11-29 12:00 UTC | not known |",
        "late (waited 1 hour, limit 10 minutes)",
        "| licence | unknown (no file states it) |",
        f"| hash of its files | `{'f' * 64}` |",
        "| prefix of queries | none |",
        "| vector index | hnsw, m 16, ef_construction 64, 4.1 kB |",
        "| settings of the build | chunking.max\\_tokens 200, language english |",
        "| parsers | `old`, `new` |",
        "Report 3: **refused** against generation 6",
        "- nDCG@10 falls.",
        "| sync\\_proof | passed | It agrees. |",
        "| ndcg@10 | refused | nDCG@10 falls. |",
        "| 5 | hybrid, reranked | gate | 0.6124 | 80 | `gggggggggggg` | not known |",
        "- files\\|all: the state of 2 documents is quarantined: EncryptedDocumentError.",
        "the removal of 11 documents has been held since 2026-11-29 12:00 UTC",
        "9 queries on the topic 'park car' had no good hit",
        "- ben approved it 2026-11-29 12:00 UTC on report 3: known fall",
        "| 2026-11-29 12:00 UTC | live | ada | no reason given | report 3, forced |",
        "by Ragline 0.5.0+g1a2b3c4d5e6f.",
    ):
        assert part in text, text


def test_markdown_says_what_is_missing() -> None:
    empty = replace(
        CARD, gate=None, evaluations=(), approvals=(), trail=(), sources=(),
        gaps=CardGaps((), (), (), ()), fingerprints=CardFingerprints("s", "c", (), None),
        index=replace(CARD.index, vector_index="exact scan", parameters={}, size_bytes=0),
    )  # fmt: skip
    text = write_markdown(empty)
    for part in (
        "The collection has no source.",
        "The gate never judged this generation.",
        "No evaluation of this generation is stored.",
        "No gap is known.",
        "The trail has no entry",
        "| content | none: its table was deleted |",
    ):
        assert part in text, text


@pytest.mark.parametrize(
    ("name", "content", "licence", "origin"),
    [
        ("README.md", "---\nlicense: mit\n---\n# A model\n", "mit", "stated in README.md"),
        (
            "README.md",
            "---\nlicense: other\nlicense_name: house rules\n---\n# A model\n",
            "house rules",
            "stated in README.md",
        ),
        ("README.md", "---\nlicense: [mit, apache-2.0]\n---\nText\n", "mit, apache-2.0", "stated"),
        ("README.md", "# A model without front matter\n", "unknown", "neither README.md"),
        ("LICENSE", "\n  MIT License\n\nCopyright\n", "MIT License", "first line of LICENSE"),
        ("config.json", "{}", "unknown", "neither README.md"),
    ],
)
def test_licence_comes_from_the_files_of_the_model(
    tmp_path: Path, name: str, content: str, licence: str, origin: str
) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    found = find_licence(tmp_path)
    assert found[0] == licence
    assert found[1].startswith(origin)


def test_licence_of_the_default_model_is_known() -> None:
    assert find_licence(find_stored_folder(DEFAULT_MODEL))[0] == "apache-2.0"


def test_model_that_is_not_on_this_machine_has_an_unknown_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert find_stored_folder("acme/missing") is None
    assert find_licence(None)[0] == "unknown"


def test_model_of_the_cache_is_found_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    cache = tmp_path / "models--acme--small"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text("abc", "utf-8")
    assert find_stored_folder("acme/small") is None
    (cache / "snapshots" / "abc").mkdir(parents=True)
    assert find_stored_folder("acme/small") == cache / "snapshots" / "abc"
