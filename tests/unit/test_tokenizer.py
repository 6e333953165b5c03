"""Token counts of the default model. Needs its tokenizer, not the model."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragline.embedder.model_files import DEFAULT_MODEL, find_model_files
from ragline.embedder.tokenizer import ModelTokenizer, load_tokenizer
from ragline.errors import TextTooLongError

TEXTS = st.text(max_size=300)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> ModelTokenizer:
    return load_tokenizer(DEFAULT_MODEL, tmp_path_factory.mktemp("models"))


def with_settings(folder: Path, **files: str) -> ModelTokenizer:
    """The default tokenizer in a folder with other settings; `a_json` writes `a.json`."""
    shutil.copy(find_model_files(DEFAULT_MODEL).folder / "tokenizer.json", folder)
    (folder / "config.json").write_text('{"model_type": "bert", "max_position_embeddings": 64}')
    for name, content in files.items():
        (folder / name.replace("_json", ".json")).write_text(content)
    return load_tokenizer(str(folder), folder)


def test_budget_leaves_room_for_special_tokens(tokenizer: ModelTokenizer):
    assert tokenizer.max_tokens == 254


def test_counts_do_not_include_special_tokens(tokenizer: ModelTokenizer):
    assert tokenizer.count_tokens(["", "hello world", "unbelievable!"]) == [0, 2, 2]
    assert tokenizer.count_tokens([]) == []


@given(TEXTS)
def test_each_counted_token_has_an_offset(tokenizer: ModelTokenizer, text: str):
    offsets = tokenizer.offsets(text)
    assert [len(offsets)] == tokenizer.count_tokens([text])
    assert all(0 <= start <= end <= len(text) for start, end in offsets)
    assert offsets == sorted(offsets)


def test_offsets_count_characters_and_not_bytes(tokenizer: ModelTokenizer):
    text = "naïve \U0001f600 wörld"
    assert [text[start:end] for start, end in tokenizer.offsets(text)] == [
        "naïve", "\U0001f600", "wörld",
    ]  # fmt: skip


@given(TEXTS)
def test_ids_of_a_document_are_its_tokens_and_two_special_tokens(
    tokenizer: ModelTokenizer, text: str
):
    count = tokenizer.count_tokens([text])[0]
    assert len(tokenizer.encode_documents([text])[0]) == count + 2


def test_text_that_fills_the_budget_is_read_completely(tokenizer: ModelTokenizer):
    assert len(tokenizer.encode_documents(["word " * 254])[0]) == 256


def test_longer_document_is_refused_with_its_size(tokenizer: ModelTokenizer):
    with pytest.raises(TextTooLongError, match=r"255 tokens is longer than the 254"):
        tokenizer.encode_documents(["short", "word " * 255])


def test_longer_query_is_truncated_and_keeps_its_special_tokens(tokenizer: ModelTokenizer):
    whole = tokenizer.encode_queries(["word " * 254])
    assert tokenizer.encode_queries(["word " * 2000]) == whole


def test_long_text_is_read_in_windows_up_to_the_limit(tokenizer: ModelTokenizer):
    windows = tokenizer.encode_windows("word " * 600, limit=16)
    assert [len(window) for window in windows] == [256, 256, 94]
    assert len(tokenizer.encode_windows("word " * 600, limit=2)) == 2
    assert [len(window) for window in tokenizer.encode_windows("", limit=2)] == [2]


def test_lone_surrogate_is_read_as_a_question_mark(tokenizer: ModelTokenizer):
    assert tokenizer.encode_queries(["a \ud83d b"]) == tokenizer.encode_queries(["a ? b"])


def test_document_prefix_reduces_the_budget(tmp_path: Path):
    prompts = '{"prompts": {"document": "passage: ", "query": "query: "}}'
    tokenizer = with_settings(tmp_path, config_sentence_transformers_json=prompts)
    assert tokenizer.max_tokens == 64 - 2 - 2
    assert tokenizer.encode_documents(["x"]) == tokenizer.encode_windows("x", limit=1)
    assert tokenizer.encode_documents(["x"]) != tokenizer.encode_queries(["x"])
    assert len(tokenizer.encode_documents(["word " * 60])[0]) == 64


def test_lower_casing_keeps_offsets_of_the_original(tmp_path: Path):
    tokenizer = with_settings(tmp_path, sentence_bert_config_json='{"do_lower_case": true}')
    text = "İstanbul IS here"  # the first letter becomes two when it is lower-cased
    assert text[slice(*tokenizer.offsets(text)[-1])] == "here"


def test_fingerprint_depends_on_budget_and_vocabulary(tokenizer: ModelTokenizer, tmp_path: Path):
    again = load_tokenizer(DEFAULT_MODEL, tmp_path)
    shorter = with_settings(tmp_path)
    assert again.fingerprint == tokenizer.fingerprint
    assert shorter.fingerprint != tokenizer.fingerprint


def test_counting_imports_no_model_code():
    code = (
        "import sys; from pathlib import Path; from ragline.embedder import load_tokenizer;"
        f"load_tokenizer({DEFAULT_MODEL!r}, Path('unused')).count_tokens(['a b']);"
        "print({'torch', 'transformers', 'openvino', 'huggingface_hub'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"
