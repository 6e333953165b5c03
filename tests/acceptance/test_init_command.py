"""`ragline init` writes a configuration that can be checked and synced without changes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import cast

import pytest
import yaml
from ragline_home import Home

from ragline.configuration import load_configuration
from ragline.configuration.first_configuration import propose_configuration
from ragline.sources.registry import open_source
from ragline.storage.database import Database

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]


def write(folder: Path, name: str, text: str = "# Tea\n\nTea is picked by hand.\n") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, "utf-8")


def commit(folder: Path) -> None:
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*GIT, *command], cwd=folder, check=True)


def list_sources(folder: Path) -> list[tuple[str, str]]:
    """Names and kinds of the proposed sources, which must be valid."""
    (folder / "ragline.yaml").write_text(propose_configuration(folder).text, "utf-8")
    sources = load_configuration(folder / "ragline.yaml").sources
    return [(source.name, source.kind) for source in sources]


def list_ids(folder: Path) -> list[str]:
    """The documents that the proposed source of files lists."""
    list_sources(folder)
    configuration = load_configuration(folder / "ragline.yaml")
    settings = next(one for one in configuration.sources if one.kind == "files")
    source = open_source(settings, folder, cast("Database", None))  # files need none
    return sorted(listed.document_id for listed in source.list_documents())


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        ([], []),
        (["docs/a.md", "docs/b/c.pdf"], ["docs/a.md", "docs/b/c.pdf"]),
        (["a.md", "Team Wiki/b.html"], ["Team Wiki/b.html", "a.md"]),
        (["docs/a.md", "src/b.py", "src/c.css", "node_modules/c/readme.md"], ["docs/a.md"]),
        (["a.html", "a_files/b.js", "build/plan.md"], ["a.html", "build/plan.md"]),
        (["docs/~$lock.docx", "docs/.hidden.md", "docs/a.md"], ["docs/a.md"]),
        ([".ragline/models/readme.md", ".venv/b.md", "picture.png"], ["picture.png"]),
    ],
)
def test_folder_becomes_one_source_without_program_files(tmp_path: Path, names, listed):
    for name in names:
        write(tmp_path, name)
    assert list_sources(tmp_path) == [("files", "files")]
    assert list_ids(tmp_path) == listed


def test_data_folder_and_record_files_are_excluded_from_the_folder(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("RAGLINE_HOME", str(tmp_path / "kept"))
    write(tmp_path, "kept/postgres.log")
    write(tmp_path, "faq [1].jsonl", '{"id": 1, "text": "x"}\n')
    write(tmp_path, "a.md")
    assert list_sources(tmp_path) == [("files", "files"), ("faq-1", "records")]
    assert list_ids(tmp_path) == ["a.md"]


def test_repository_with_committed_documents_becomes_a_git_source(tmp_path: Path):
    write(tmp_path, "docs/a.md")
    write(tmp_path, "src/main.py", "print()\n")
    commit(tmp_path)
    assert list_sources(tmp_path) == [("repository", "git")]


def test_repository_without_committed_documents_becomes_a_files_source(tmp_path: Path):
    write(tmp_path, "src/main.py", "print()\n")
    commit(tmp_path)
    write(tmp_path, "docs/a.md")
    assert list_sources(tmp_path) == [("files", "files")]
    assert list_ids(tmp_path) == ["docs/a.md"]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ('{"_id": "a", "title": "T", "text": "x"}',
         {"id": "_id", "title": "title", "text": "text"}),
        ('{"id": 7, "headline": "T", "body": "x"}',
         {"id": "id", "title": "headline", "text": "body"}),
        ('{"key": "k", "note": "long text", "b": "x"}', {"id": "key", "text": "note"}),
        ('{"text": "without an id"}', None),
        ('{"id": "without a text"}', {"id": "id", "text": "id"}),
        ("[1, 2]", None),
        ("not json", None),
        ("", None),
    ],
)  # fmt: skip
def test_columns_of_records_are_guessed_from_the_first_record(tmp_path: Path, line, fields):
    write(tmp_path, "faq.jsonl", f"{line}\n")
    sources = yaml.safe_load(propose_configuration(tmp_path).text)["sources"]
    found = [source["fields"] for source in sources if source["kind"] == "records"]
    assert found == ([] if fields is None else [fields])
    list_sources(tmp_path)


def test_written_file_passes_check_and_sync_and_is_not_overwritten(
    tmp_path: Path, database_url: str, model_cache: Path
):
    folder = tmp_path / "My Handbook"
    write(folder, "docs/tea.md")
    write(folder, "Read me.txt", "The ferry leaves at seven.\n")
    write(folder, "faq.jsonl", '{"id": 1, "question": "q", "answer": "Behind the blue door."}\n')
    (folder / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (folder / ".ragline" / "models").symlink_to(model_cache)
    home = Home(folder, database_url)
    written = home.read("init")
    assert (written["collection"], len(written["sources"])) == ("my-handbook", 2)
    assert home.read("check")["ok"]
    assert home.read("sync")["ok"]
    hits = home.read("search", "my-handbook", "where is the key")["hits"]
    assert {hit["source"] for hit in hits} == {"faq", "files"}

    write(folder, "docs/page.html", "<p>A hedgehog sleeps under the ferry.</p>")
    write(folder, "new/w.md", "The wombat digs.\n")
    write(folder, "later.txt", "The heron waits.\n")
    report = home.read("sync")
    assert report["sources"]["files"]["added"] == 3
    listed = home.run("documents", "files")
    assert "ragline.yaml" not in listed

    mine = "sources: []\n"
    (folder / "ragline.yaml").write_text(mine, "utf-8")
    home.run("init", status=2)
    assert "ragline.yaml exists; edit it, or replace it with --force" in home.errors
    assert (folder / "ragline.yaml").read_text("utf-8") == mine
    home.run("init", "--force")
    assert (folder / "ragline.yaml").read_text("utf-8") != mine
    home.run("init", "nowhere", status=2)
    assert "there is no folder" in home.errors


def test_proposed_repository_can_be_synced(tmp_path: Path, database_url: str, model_cache: Path):
    write(tmp_path, "docs/tea.md")
    write(tmp_path, "src/main.py", "print()\n")
    write(tmp_path, "build/readme.md")
    write(tmp_path, "ragline.yaml", "sources: []\n")
    commit(tmp_path)
    (tmp_path / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (tmp_path / ".ragline" / "models").symlink_to(model_cache)
    home = Home(tmp_path, database_url)
    home.run("init", "--force")
    report = home.read("sync")
    assert report["sources"]["repository"]["added"] == 1

    write(tmp_path, "guides/page.html", "<p>A hedgehog sleeps.</p>")
    commit(tmp_path)
    report = home.read("sync")
    assert report["sources"]["repository"]["added"] == 1
