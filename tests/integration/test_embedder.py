"""The default model on the backend of this machine, compared with PyTorch in float32."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from repetition_counts import choose_count

from ragline.embedder import Embedder, load_embedder
from ragline.embedder.model_files import DEFAULT_MODEL, find_model_files
from ragline.errors import ModelUnavailableError, TextTooLongError

EXAMPLES = Path(__file__).parents[2] / "examples"
VARIED = [
    "",
    " ",
    "?",
    "a",
    "wing",
    "what is a boundary layer",
    "x" * 5000,
    "é" * 100,
    "Привет, мир! " * 20,
    "漢字かな交じり文" * 20,
    "ثم نفس سقطت وبالتحديد، جزيرتي باستخدام أن دنو.",
    "\U0001f600" * 50,
    "z̸̢̛a̷l̵g̶o̴ " * 10,
    "1 2 3 4 5 6 7 8 9 " * 10,
    "<html><body>&nbsp;</body></html>",
    "[CLS] [SEP] [MASK]",
    "word " * 254,
]


@pytest.fixture(scope="module")
def reference_vectors(texts: list[str]) -> np.ndarray:
    """The vectors of sentence-transformers in float32."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(find_model_files(DEFAULT_MODEL).folder), device="cpu")
    return model.encode(texts, batch_size=16, show_progress_bar=False)


@pytest.fixture(scope="module")
def texts(naughty_strings: list[str], embedder: Embedder) -> list[str]:
    """Hostile strings, questions, paragraphs of all lengths up to the model's limit."""
    lines = (EXAMPLES / "golden" / "peps" / "queries.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line)["text"] for line in lines]
    pages = [path.read_text("utf-8") for path in sorted((EXAMPLES / "peps").iterdir())]
    paragraphs = [paragraph for page in pages for paragraph in page.split("\n\n")]
    found = [*VARIED, *naughty_strings[::4], *questions[:25], *paragraphs[::61]]
    counts = embedder.tokenizer.count_tokens(found)
    return [t for t, n in zip(found, counts, strict=True) if n <= embedder.tokenizer.max_tokens]


def test_each_text_has_a_cosine_of_at_least_0_9999_to_pytorch(
    embedder: Embedder, texts: list[str], reference_vectors: np.ndarray
):
    cosines = (embedder.embed_texts(texts) * reference_vectors).sum(axis=1)
    assert len(texts) > 200
    assert cosines.min() >= 0.9999, texts[int(cosines.argmin())]


def test_float32_is_as_good_as_exact(
    model_cache: Path, texts: list[str], reference_vectors: np.ndarray
):
    exact = load_embedder(DEFAULT_MODEL, cache=model_cache, backend="openvino-f32")
    cosines = (exact.embed_texts(texts[:60]) * reference_vectors[:60]).sum(axis=1)
    assert exact.encoder == "openvino-f32"
    assert cosines.min() >= 0.999999


def test_pytorch_gives_the_same_space(model_cache: Path, embedder: Embedder):
    other = load_embedder(DEFAULT_MODEL, cache=model_cache, backend="pytorch")
    assert other.encoder.startswith("pytorch-")
    assert other.space == embedder.space
    cosine = other.embed_texts(VARIED[:8]) * embedder.embed_texts(VARIED[:8])
    assert cosine.sum(axis=1).min() >= 0.9999
    tokens, expected = (e.embed_tokens(["a wing"])[0] for e in (other, embedder))
    assert (tokens * expected).sum(axis=1).min() >= 0.999


def test_vectors_are_float32_of_unit_length_in_input_order(embedder: Embedder):
    vectors = embedder.embed_texts(VARIED)
    assert (vectors.shape, vectors.dtype) == ((len(VARIED), 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    again = embedder.embed_texts(VARIED[::-1])
    np.testing.assert_array_equal(again[::-1], vectors)


def test_no_texts_give_no_vectors(embedder: Embedder):
    assert embedder.embed_texts([]).shape == (0, 384)
    assert list(embedder.embed_batches([])) == []
    assert embedder.embed_tokens([]) == []


def test_a_text_has_one_vector_independent_of_other_texts(embedder: Embedder):
    together = embedder.embed_texts([*VARIED, "a wing in the wind", *VARIED])[len(VARIED)]
    np.testing.assert_array_equal(embedder.embed_texts(["a wing in the wind"])[0], together)
    np.testing.assert_array_equal(embedder.embed_query("a wing in the wind"), together)


def test_equal_texts_have_equal_vectors(embedder: Embedder):
    vectors = embedder.embed_texts(["the same"] * 40)
    np.testing.assert_array_equal(vectors, np.tile(vectors[:1], (40, 1)))


def test_batches_are_groups_with_longer_texts_first(embedder: Embedder):
    texts = ["word " * count for count in (3, 60, 9, 27, 81, 1, 243)]
    groups = list(embedder.embed_batches(texts, commit_size=3))
    assert [indices for indices, _ in groups] == [[6, 4, 1], [3, 2, 0], [5]]
    whole = embedder.embed_texts(texts)
    for indices, vectors in groups:
        np.testing.assert_array_equal(vectors, whole[indices])


def test_batches_of_several_windows_contain_each_text_once(
    embedder: Embedder, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ragline.embedder.embedder._WINDOW_TEXTS", 5)
    texts = [f"number {index}" for index in range(13)]
    vectors = np.zeros((13, 384), dtype=np.float32)
    seen: list[int] = []
    for indices, rows in embedder.embed_batches(texts, commit_size=4):
        seen += indices
        vectors[indices] = rows
    assert sorted(seen) == list(range(13))
    np.testing.assert_array_equal(vectors, embedder.embed_texts(texts))


def test_text_over_the_limit_is_refused_before_anything_is_computed(embedder: Embedder):
    groups = embedder.embed_batches(["short", "word " * 255], commit_size=1)
    with pytest.raises(TextTooLongError, match="255 tokens"):
        next(groups)


def test_query_over_the_limit_is_truncated(embedder: Embedder):
    cut = embedder.embed_query("word " * 900)
    np.testing.assert_array_equal(cut, embedder.embed_query("word " * 254))


def test_token_vectors_do_not_include_padding(embedder: Embedder):
    matrices = embedder.embed_tokens(["a wing", "", "word " * 600])
    assert [len(matrix) for matrix in matrices] == [4, 2, 600 + 3 * 2]
    for matrix in matrices:
        np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-5)


def test_token_vectors_do_not_depend_on_neighbours(embedder: Embedder):
    single = embedder.embed_tokens(["a wing"])[0]
    in_batch = embedder.embed_tokens(["a much longer text about something else", "a wing"])[1]
    np.testing.assert_array_equal(single, in_batch)
    np.testing.assert_array_equal(embedder.embed_query_tokens("a wing"), single)


def test_concurrent_threads_get_their_own_results(embedder: Embedder):
    queries = [f"what about {'flow ' * (index % 7)}number {index}" for index in range(60)]
    expected = [embedder.embed_query(query) for query in queries]
    with ThreadPoolExecutor(8) as threads:
        np.testing.assert_array_equal(list(threads.map(embedder.embed_query, queries)), expected)


def test_call_with_many_texts_does_not_block_others(embedder: Embedder):
    # Ten tasks: each question waits for one at most.
    bulk = [f"{number} " + "word " * 200 for number in range(choose_count(160, 480))]
    ended: list[str] = []

    def embed_bulk() -> None:
        embedder.embed_texts(bulk)
        ended.append("bulk")

    def ask() -> None:
        for _ in range(3):
            embedder.embed_tokens(["what is a boundary layer"])
            ended.append("question")

    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(embed_bulk), threads.submit(ask)]
        for call in calls:
            call.result()
    assert ended == ["question"] * 3 + ["bulk"]


def test_fingerprint_of_the_space_depends_on_the_model_files(
    embedder: Embedder, model_cache: Path, tmp_path: Path
):
    copied = tmp_path / "copy"
    copied.mkdir()
    for path in find_model_files(DEFAULT_MODEL).folder.rglob("*"):
        target = copied / path.relative_to(find_model_files(DEFAULT_MODEL).folder)
        target.mkdir() if path.is_dir() else target.symlink_to(path)
    other = load_embedder(str(copied), cache=model_cache)
    assert other.space.model != embedder.space.model
    assert other.space.fingerprint == embedder.space.fingerprint


def test_unknown_backend_lists_the_known_ones(model_cache: Path):
    with pytest.raises(ValueError, match="openvino-bf16"):
        load_embedder(DEFAULT_MODEL, cache=model_cache, backend="tpu")


@pytest.mark.usefixtures("embedder")
def test_cached_model_is_loaded_without_torch_and_ends_cleanly(model_cache: Path):
    code = (
        "import sys; from pathlib import Path; from ragline.embedder import load_embedder\n"
        f"embedder = load_embedder({DEFAULT_MODEL!r}, cache=Path({str(model_cache)!r}))\n"
        "embedder.embed_query('a wing'); embedder.embed_texts(['a', 'b ' * 200] * 9)\n"
        "print({'torch', 'transformers', 'sentence_transformers', 'onnx'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    if not embedder_needs_torch():
        assert result.stdout.strip() == "set()"


def embedder_needs_torch() -> bool:
    """On a machine with a GPU, PyTorch is the backend."""
    return Path("/dev/nvidiactl").exists() or os.name == "nt"


def test_backend_that_differs_from_the_model_is_refused_by_name(
    embedder: Embedder, model_cache: Path, tmp_path: Path
):
    # A measured cosine as on a processor with too low precision.
    if embedder.encoder != "openvino-bf16":
        pytest.skip("this processor has no bfloat16")
    cache = tmp_path / "models"
    _copy_tree(model_cache, cache)
    measured = next(cache.glob("*/openvino-bf16.json"))
    places = json.loads(measured.read_text())
    measured.write_text(json.dumps(dict.fromkeys(places, 0.998)))
    assert load_embedder(DEFAULT_MODEL, cache=cache).encoder == "openvino-f32"
    with pytest.raises(ModelUnavailableError, match=r"cosine 0\.99800"):
        load_embedder(DEFAULT_MODEL, cache=cache, backend="openvino-bf16")


def test_model_that_cannot_be_exported_runs_in_pytorch(model_cache: Path, tmp_path: Path):
    load_embedder(DEFAULT_MODEL, cache=model_cache)
    cache = tmp_path / "models"
    _copy_tree(model_cache, cache)
    summary = next(cache.glob("*/export.json"))
    summary.write_text('{"model": "m", "is_exported": false, "reason": "no such operator"}')
    assert load_embedder(DEFAULT_MODEL, cache=cache).encoder == "pytorch-f32"
    with pytest.raises(ModelUnavailableError, match="cannot be exported"):
        load_embedder(DEFAULT_MODEL, cache=cache, backend="openvino-f32")


def _copy_tree(source: Path, target: Path) -> None:
    """Copy the default model's export; its weights are linked."""
    name = find_model_files(DEFAULT_MODEL).model_hash[:16]
    folder = next(path for path in source.glob(f"{name}-*") if path.is_dir())
    (target / folder.name).mkdir(parents=True)
    for path in folder.iterdir():
        copied = target / folder.name / path.name
        if path.suffix == ".json":
            copied.write_bytes(path.read_bytes())
        else:
            copied.symlink_to(path)
