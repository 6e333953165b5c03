"""Valid settings that cannot be satisfied are named with their line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ragline.configuration import load_configuration
from ragline.configuration.checks import (
    MAX_DIMENSION,
    Fault,
    check_dimension,
    find_faults,
)
from ragline.embedder.model_files import find_model_files
from ragline.errors import ConfigurationError

GOOD = """\
collections:
  - name: notes
    embedding_model: sentence-transformers/all-MiniLM-L6-v2
    chunking:
      max_tokens: 200
    language: english
    reranker: late-interaction
    golden: ./golden
    thresholds: {ndcg@10: 0.5}
sources:
  - name: note-files
    collection: notes
    kind: files
    uri: ./notes
    credentials: {key: NOTES_KEY}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "notes").mkdir()
    qrels = tmp_path / "golden" / "qrels"
    qrels.mkdir(parents=True)
    query = json.dumps({"_id": "q1", "text": "ferry"})
    (tmp_path / "golden" / "queries.jsonl").write_text(query, encoding="utf-8")
    judgements = "query-id\tcorpus-id\tscore\nq1\tharbour.md\t1\n"
    (qrels / "test.tsv").write_text(judgements, encoding="utf-8")
    monkeypatch.setenv("NOTES_KEY", "x")
    # No name of a model is looked up outside of this machine.
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


def faults_of(folder: Path, content: str) -> list[Fault]:
    path = folder / "ragline.yaml"
    path.write_text(content, encoding="utf-8")
    return find_faults(load_configuration(path))


def test_settings_that_can_be_satisfied_have_no_fault(folder):
    assert faults_of(folder, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "setting", "said"),
    [
        ("language: english", "language: englisch", 6, "language", "did you mean 'english'?"),
        (
            "all-MiniLM-L6-v2",
            "all-MiniLM-L6-v3",
            3,
            "embedding_model",
            "did you mean 'sentence-transformers/all-MiniLM-L6-v2'?",
        ),
        (
            "sentence-transformers/all-MiniLM-L6-v2",
            "./model",
            3,
            "embedding_model",
            "there is no such folder",
        ),
        ("max_tokens: 200", "max_tokens: 1000", 5, "chunking.max_tokens", "allowed: 16 to 254"),
        ("late-interaction", "late-interacton", 7, "reranker", "did you mean 'late-interaction'?"),
        ("late-interaction", "./cross-encoder", 7, "reranker", "there is no such folder"),
        ("./golden", "./goldn", 8, "golden", "queries.jsonl: there is no such file"),
        ("uri: ./notes", "uri: ./note", 14, "uri", "does not exist"),
    ],
)
def test_setting_that_cannot_be_satisfied_is_named_with_its_line(
    folder, old, new, line, setting, said
):
    assert old in GOOD
    (fault,) = faults_of(folder, GOOD.replace(old, new))
    assert (fault.line, fault.setting, fault.severity) == (line, setting, "error")
    assert said in fault.message
    assert fault.text.startswith(f"{folder / 'ragline.yaml'}:{line}: ")
    assert "\n" not in fault.text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("NOTES_KEY", "OTHER_KEY", "the environment variable OTHER_KEY is not set"),
        ("    golden: ./golden\n", "", "has no golden set"),
    ],
)
def test_missing_golden_set_or_credential_is_a_warning(folder, old, new, said):
    (fault,) = faults_of(folder, GOOD.replace(old, new))
    assert fault.severity == "warning"
    assert said in fault.message


def test_broken_card_of_a_golden_set_is_a_warning_with_its_line(folder):
    (folder / "golden" / "card.yaml").write_text("notes: a\nlicence: [\n")
    (found,) = faults_of(folder, GOOD)
    assert (found.severity, found.setting) == ("warning", "golden")
    assert "card.yaml:3: is not YAML" in found.message


def test_default_chunk_size_adapts_to_the_limit_of_the_model(folder):
    model = find_model_files("sentence-transformers/all-MiniLM-L6-v2").folder
    shutil.copytree(model, folder / "small")
    settings = folder / "small" / "sentence_bert_config.json"
    settings.write_text(json.dumps({"max_seq_length": 128, "do_lower_case": False}))
    small = GOOD.replace("sentence-transformers/all-MiniLM-L6-v2", "./small")
    (fault,) = faults_of(folder, small)
    assert fault.setting == "chunking.max_tokens"
    assert "more than the 126 tokens" in fault.message
    assert faults_of(folder, small.replace("    chunking:\n      max_tokens: 200\n", "")) == []


def test_vectors_that_postgres_cannot_store_are_refused(folder):
    faults_of(folder, GOOD)
    settings = load_configuration(folder / "ragline.yaml").collection("notes")
    assert list(check_dimension(settings, 384)) == []
    (unindexed,) = check_dimension(settings, 4_096)
    assert unindexed.severity == "warning"
    (refused,) = check_dimension(settings, MAX_DIMENSION + 1)
    assert refused.severity == "error"
    assert "allowed: at most 16,000" in refused.message


def test_all_faults_are_found_at_once_in_the_order_of_the_file(folder):
    broken = GOOD.replace("english", "englisch").replace("./golden", "./g").replace("1000", "9")
    lines = [fault.line for fault in faults_of(folder, broken)]
    assert lines == [6, 8]


def run_check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ragline", "check", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_check_reports_by_exit_status_and_json_and_starts_nothing(folder):
    assert faults_of(folder, GOOD) == []
    good = run_check(folder, "--json")
    assert good.returncode == 0
    assert json.loads(good.stdout)["ok"]
    assert not (folder / ".ragline").exists()
    assert faults_of(folder, GOOD.replace("english", "englisch"))
    bad = run_check(folder)
    assert bad.returncode == 2
    assert bad.stderr.startswith(f"{folder / 'ragline.yaml'}:6: collection notes: language: ")
    assert not (folder / ".ragline").exists()


def test_check_says_what_is_not_checked_without_a_database(folder, monkeypatch):
    monkeypatch.delenv("RAGLINE_DATABASE_URL", raising=False)
    assert faults_of(folder, GOOD) == []
    said = run_check(folder).stdout
    assert "can be used; no database with documents is running" in said
    assert "the document ids of golden sets were not checked" in said


def test_check_reports_a_file_that_cannot_be_loaded_line_by_line(folder):
    broken = GOOD.replace("language:", "langage:").replace("kind: files", "kind: file")
    (folder / "ragline.yaml").write_text(broken, encoding="utf-8")
    with pytest.raises(ConfigurationError):
        load_configuration(folder / "ragline.yaml")
    answer = run_check(folder, "--json")
    assert answer.returncode == 2
    faults = json.loads(answer.stdout)["faults"]
    assert [fault["line"] for fault in faults] == [13]
    assert "did you mean" in faults[0]["message"] or "allowed:" in faults[0]["message"]
    assert faults[0]["text"] == f"{folder / 'ragline.yaml'}:13: {faults[0]['message']}"


def test_check_imports_no_runtime_of_models_and_no_dagster():
    heavy = ("torch", "transformers", "dagster", "great_expectations", "openvino", "numpy")
    code = (
        "import sys; import ragline.commands.check; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("language: english", "language: englisch", ":6: collection notes: language: "),
        ("all-MiniLM-L6-v2", "all-MiniLM-L6-v3", ":3: collection notes: embedding_model: "),
        ("./golden", "./goldn", ":8: collection notes: golden: "),
    ],
)
def test_first_sync_is_refused_before_anything_is_written(folder, old, new, said):
    assert faults_of(folder, GOOD.replace(old, new))
    answer = subprocess.run(
        [sys.executable, "-m", "ragline", "sync"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 2
    assert said in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert not (folder / ".ragline").exists()
