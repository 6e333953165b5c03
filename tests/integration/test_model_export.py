"""Small random models with other architectures than the default model."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragline.embedder import load_embedder, load_tokenizer
from ragline.embedder.exported_model import export_model
from ragline.embedder.model_files import DEFAULT_MODEL, find_model_files
from ragline.errors import ModelUnavailableError
from ragline.rerankers.cross_encoder import CrossEncoderReranker
from ragline.rerankers.late_interaction import LateInteractionReranker
from ragline.rerankers.reranker import load_reranker

TEXTS = ["?", "wing", "a longer sentence about wings " * 3, "\U0001f600 naïve 東京"]
LOAD = (
    "import sys; from pathlib import Path; from ragline.embedder import load_embedder;"
    "load_embedder(sys.argv[1], cache=Path(sys.argv[2])).embed_query('a')"
)


def make_model(
    folder: Path, *, spread: float = 0.2, head: bool = False, **settings: object
) -> Path:
    """A BERT of random weights with the default model's vocabulary; `a_json={}` writes a file.

    A small `spread` of the weights gives texts that hardly differ; a large one, texts that do.
    """
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=64,
        initializer_range=spread,
        num_labels=1,
    )
    kind = BertForSequenceClassification if head else BertModel
    kind(config).save_pretrained(folder)
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(find_model_files(DEFAULT_MODEL).folder / name, folder)
    for name, content in settings.items():
        path = folder / name.replace("__", "/").replace("_json", ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return folder


def sentence_modules(*kinds: str) -> list[dict[str, Any]]:
    return [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(zip(kinds, ("", "1_Pooling", "2_Normalize"), strict=False))
    ]


@pytest.fixture(scope="module")
def prompted_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """First-token pooling, vectors of any length, and a prompt for each side."""
    return make_model(
        tmp_path_factory.mktemp("prompted"),
        modules_json=sentence_modules("Transformer", "Pooling"),
        **{"1_Pooling__config_json": {"embedding_dimension": 48, "pooling_mode": "cls"}},
        sentence_bert_config_json={"max_seq_length": 40, "do_lower_case": False},
        config_sentence_transformers_json={
            "prompts": {"query": "query: ", "document": "passage: "},
            "__version__": {"sentence_transformers": "6.0.0"},
        },
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def test_other_pooling_and_prompts_agree_with_sentence_transformers(
    prompted_model: Path, cache: Path
):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(prompted_model), device="cpu")
    embedder = load_embedder(str(prompted_model), cache=cache)
    documents = model.encode_document(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    queries = model.encode_query(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    found = np.stack([embedder.embed_query(text) for text in TEXTS])
    assert (embedder.space.dimension, embedder.space.max_tokens) == (48, 40 - 2 - 2)
    assert (embedder.embed_texts(TEXTS) * documents).sum(axis=1).min() >= 0.9999
    assert (found * queries).sum(axis=1).min() >= 0.9999
    assert (found * documents).sum(axis=1).max() < 0.9999


def test_plain_transformer_is_pooled_by_its_mean(tmp_path: Path, cache: Path):
    from sentence_transformers import SentenceTransformer

    folder = make_model(tmp_path)
    reference = SentenceTransformer(str(folder), device="cpu").encode(
        TEXTS, normalize_embeddings=True, show_progress_bar=False
    )
    vectors = load_embedder(str(folder), cache=cache).embed_texts(TEXTS)
    assert (vectors * reference).sum(axis=1).min() >= 0.9999
    assert (vectors[0] * vectors[2]).sum() < 0.99


def test_model_with_low_precision_in_bfloat16_runs_in_float32(tmp_path: Path, cache: Path):
    folder = make_model(tmp_path, spread=1.0)
    embedder = load_embedder(str(folder), cache=cache)
    assert embedder.encoder == "openvino-f32"


def test_tokenizer_is_made_from_a_vocabulary(tmp_path: Path, cache: Path):
    folder = make_model(tmp_path)
    (folder / "tokenizer.json").unlink()
    counter = load_tokenizer(str(folder), cache)
    assert counter.count_tokens(["unbelievable wings!"]) == [3]
    assert [path.name for path in cache.glob("*-tokenizer.json")]
    assert load_tokenizer(str(folder), cache).fingerprint == counter.fingerprint


def test_model_that_leaves_its_prompt_out_of_its_vectors_is_refused(tmp_path: Path, cache: Path):
    pooling = {"embedding_dimension": 48, "pooling_mode": "mean", "include_prompt": False}
    folder = make_model(
        tmp_path,
        modules_json=sentence_modules("Transformer", "Pooling"),
        **{"1_Pooling__config_json": pooling},
        config_sentence_transformers_json={"prompts": {"query": "a very long prompt: "}},
    )
    with pytest.raises(ModelUnavailableError, match="leave out its prompt"):
        load_embedder(str(folder), cache=cache)


def test_damaged_export_says_what_to_delete(prompted_model: Path, cache: Path, tmp_path: Path):
    made = export_model(find_model_files(str(prompted_model)), cache).folder
    (tmp_path / made.name).mkdir()
    for path in made.iterdir():
        content = b"<net" if path.suffix == ".xml" else path.read_bytes()
        (tmp_path / made.name / path.name).write_bytes(content)
    with pytest.raises(ModelUnavailableError, match="delete its folder"):
        load_embedder(str(prompted_model), cache=tmp_path)


def test_broken_weights_are_named(tmp_path: Path, cache: Path):
    folder = make_model(tmp_path)
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelUnavailableError, match="cannot be loaded from"):
        load_embedder(str(folder), cache=cache)


def test_two_processes_share_one_export(prompted_model: Path, tmp_path: Path):
    commands = [[sys.executable, "-c", LOAD, str(prompted_model), str(tmp_path)]] * 2
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for command in commands]
    assert [process.communicate()[1] for process in processes] == [b"", b""]
    assert [process.returncode for process in processes] == [0, 0]
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1


def test_killed_export_leaves_no_incomplete_folder(prompted_model: Path, tmp_path: Path):
    process = subprocess.Popen([sys.executable, "-c", LOAD, str(prompted_model), str(tmp_path)])
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".*-v*-*")):
        assert time.monotonic() < deadline, "the export never began"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [path for path in tmp_path.iterdir() if path.is_dir() and path.name[0] != "."] == []
    load_embedder(str(prompted_model), cache=tmp_path).embed_query("a")
    assert not list(tmp_path.glob(".*-v*-*")), "what the killed process left is swept away"


class TestRerankers:
    def test_late_interaction_needs_the_embedding_model_only(
        self, prompted_model: Path, cache: Path
    ):
        reranker = load_reranker(
            "late-interaction", load_embedder(str(prompted_model), cache=cache)
        )
        assert isinstance(reranker, LateInteractionReranker)
        scores = reranker.score_texts("wing", ["engine noise", "wing", "wing " * 300])
        assert len(scores) == 3
        assert all(-1 <= score <= 1.0001 for score in scores)
        assert reranker.score_texts("wing", []) == []

    def test_trained_cross_encoder_scores_each_pair(self, tmp_path: Path):
        reranker = CrossEncoderReranker(str(make_model(tmp_path, head=True)), device="cpu")
        together = reranker.score_texts("wing", ["wing", "engine", "word " * 900])
        assert len(set(together)) == 3
        assert reranker.score_texts("wing", ["engine"]) == pytest.approx([together[1]], abs=1e-5)
        assert reranker.score_texts("wing", []) == []

    def test_cross_encoder_without_a_trained_head_is_refused(self, tmp_path: Path):
        with pytest.raises(ModelUnavailableError, match=r"no weights for classifier\.bias"):
            CrossEncoderReranker(str(make_model(tmp_path)))

    def test_missing_cross_encoder_is_refused(self):
        with pytest.raises(ModelUnavailableError, match="no such folder"):
            CrossEncoderReranker("./absent")


def test_late_interaction_of_the_default_model_prefers_the_text_that_answers(
    embedder: Any,
):
    query = "how does heat move through a thin shell"
    texts = [
        "The committee met on Tuesday to discuss the budget.",
        "Conduction of heat in thin cylindrical shells is computed.",
        "Wings stall when the angle of attack is too large.",
    ]
    scores = LateInteractionReranker(embedder).score_texts(query, texts)
    assert int(np.argmax(scores)) == 1
