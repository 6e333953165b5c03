"""Finding a model, and the settings in its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ragline.embedder.atomic_files import write_atomically
from ragline.embedder.model_files import (
    DEFAULT_MODEL,
    DEFAULT_WEIGHTS_SHA256,
    ModelFiles,
    check_default_weights,
    find_model_files,
)
from ragline.errors import ModelUnavailableError


def write_model(folder: Path, **files: object) -> Path:
    """A model's folder; keyword `config_json={...}` writes `config.json`."""
    contents = {
        "config_json": {"model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 3},
        "modules_json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "x.y.Pooling"},
        ],
        **files,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name.replace("_json", ".json")).write_text(json.dumps(content))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_default_model_is_packaged_with_the_published_weights():
    files = find_model_files(DEFAULT_MODEL)
    check_default_weights(files)
    assert files.file_hashes["model.safetensors"] == DEFAULT_WEIGHTS_SHA256
    assert (files.max_positions, files.query_prefix, files.document_prefix) == (256, "", "")


def test_default_model_with_other_weights_is_refused(tmp_path: Path):
    with pytest.raises(ModelUnavailableError, match="SHA-256 differs"):
        check_default_weights(ModelFiles(DEFAULT_MODEL, write_model(tmp_path)))


def test_folder_is_a_model(tmp_path: Path):
    files = find_model_files(str(write_model(tmp_path)))
    assert [kind for kind, _ in files.modules] == ["Transformer", "Pooling"]
    assert files.transformer_folder == tmp_path
    assert files.pad_id == 3


@pytest.mark.parametrize("name", ["./absent", "/absent/model", "~/absent-model", "a/b/c"])
def test_missing_folder_is_named(name: str):
    with pytest.raises(ModelUnavailableError, match="there is no such folder"):
        find_model_files(name)


def test_folder_without_a_model_is_refused(tmp_path: Path):
    with pytest.raises(ModelUnavailableError, match=r"contains no config\.json"):
        find_model_files(str(tmp_path))


def test_broken_configuration_names_its_file(tmp_path: Path):
    (write_model(tmp_path) / "modules.json").write_text("{")
    with pytest.raises(ModelUnavailableError, match=r"modules\.json is not valid JSON"):
        find_model_files(str(tmp_path))


def test_unavailable_model_of_the_hub_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelUnavailableError, match="Connect once and run again"):
        find_model_files("someone/some-model")


class TestLengthLimit:
    def test_stated_limit_counts(self, tmp_path: Path):
        folder = write_model(tmp_path, sentence_bert_config_json={"max_seq_length": 99})
        assert ModelFiles("m", folder).max_positions == 99

    def test_tokenizers_limit_counts_without_a_stated_one(self, tmp_path: Path):
        folder = write_model(tmp_path, tokenizer_config_json={"model_max_length": 384})
        assert ModelFiles("m", folder).max_positions == 384

    def test_unbounded_tokenizer_is_bounded_by_the_models_positions(self, tmp_path: Path):
        folder = write_model(tmp_path, tokenizer_config_json={"model_max_length": 10**30})
        assert ModelFiles("m", folder).max_positions == 512

    def test_positions_for_padding_are_not_counted(self, tmp_path: Path):
        config = {"model_type": "xlm-roberta", "max_position_embeddings": 514}
        assert ModelFiles("m", write_model(tmp_path, config_json=config)).max_positions == 512


class TestPrefixes:
    @pytest.mark.parametrize("name", ["document", "passage", "corpus"])
    def test_documents_have_the_stored_prompt(self, tmp_path: Path, name: str):
        settings = {"prompts": {"query": "query: ", name: "text: "}}
        folder = write_model(tmp_path, config_sentence_transformers_json=settings)
        files = ModelFiles("m", folder)
        assert (files.query_prefix, files.document_prefix) == ("query: ", "text: ")

    def test_empty_prompts_are_ignored(self, tmp_path: Path):
        settings = {"prompts": {"query": None, "document": ""}}
        folder = write_model(tmp_path, config_sentence_transformers_json=settings)
        files = ModelFiles("m", folder)
        assert (files.query_prefix, files.document_prefix) == ("", "")


class TestModelHash:
    def test_equal_files_in_another_folder_have_an_equal_hash(self, tmp_path: Path):
        one = ModelFiles("one", write_model(tmp_path / "one"))
        two = ModelFiles("two", write_model(tmp_path / "two"))
        assert one.model_hash == two.model_hash

    def test_a_readme_does_not_change_it(self, tmp_path: Path):
        before = ModelFiles("m", write_model(tmp_path)).model_hash
        (tmp_path / "README.md").write_text("new")
        assert ModelFiles("m", tmp_path).model_hash == before

    @pytest.mark.parametrize(
        "name", ["model.safetensors", "tokenizer.json", "1_Pooling/config.json"]
    )
    def test_a_file_that_determines_vectors_changes_it(self, tmp_path: Path, name: str):
        before = ModelFiles("m", write_model(tmp_path)).model_hash
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
        assert ModelFiles("m", tmp_path).model_hash != before


def test_atomic_write_replaces_the_whole_file(tmp_path: Path):
    path = tmp_path / "new" / "file"
    write_atomically(path, b"first, and long")
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_failed_atomic_write_does_not_change_the_old_file(tmp_path: Path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")  # type: ignore[arg-type]
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"
