"""`ragline init`: a first configuration that can be checked and synced as it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from ragline.configuration import load_configuration
from ragline.first_configuration import propose_configuration
from tests.ragline_home import Home

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]


def write(folder: Path, name: str, text: str = "# Tea\n\nTea is picked by hand.\n") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, "utf-8")


def commit(folder: Path) -> None:
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*GIT, *command], cwd=folder, check=True)


def list_sources(folder: Path) -> list[tuple[str, str]]:
    """Names and kinds of what is proposed, which the configuration must accept."""
    (folder / "ragline.yaml").write_text(propose_configuration(folder).text, "utf-8")
    sources = load_configuration(folder / "ragline.yaml").sources
    return [(source.name, source.kind) for source in sources]


@pytest.mark.parametrize(
    ("names", "sources"),
    [
        ([], [("files", "files")]),
        (["docs/a.md", "docs/b/c.pdf"], [("docs", "files")]),
        (["a.md", "Team Wiki/b.md"], [("files", "files"), ("team-wiki", "files")]),
        (["docs/a.md", "src/b.py", "node_modules/c/readme.md"], [("docs", "files")]),
        (["a_b/x.md", "a-b/x.md"], [("a-b", "files"), ("a-b-2", "files")]),
        (["docs/~$lock.docx", "docs/.hidden.md", "docs/a.md"], [("docs", "files")]),
        (["Änderungen/a.md"], [("nderungen", "files")]),
    ],
)
def test_each_folder_with_documents_is_a_source(tmp_path: Path, names, sources):
    for name in names:
        write(tmp_path, name)
    assert list_sources(tmp_path) == sources


def test_repository_with_documents_in_its_commits_is_read_from_them(tmp_path: Path):
    write(tmp_path, "docs/a.md")
    write(tmp_path, "src/main.py", "print()\n")
    commit(tmp_path)
    assert list_sources(tmp_path) == [("repository", "git")]


def test_repository_without_committed_documents_is_read_as_files(tmp_path: Path):
    write(tmp_path, "src/main.py", "print()\n")
    commit(tmp_path)
    write(tmp_path, "docs/a.md")
    assert list_sources(tmp_path) == [("docs", "files")]


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
def test_columns_of_records_are_guessed_from_the_first(tmp_path: Path, line, fields):
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
    assert (written["collection"], len(written["sources"])) == ("my-handbook", 3)
    assert home.read("check")["ok"]
    assert home.read("sync")["ok"]
    hits = home.read("search", "my-handbook", "where is the key")["hits"]
    assert {hit["source"] for hit in hits} == {"docs", "faq", "files"}

    mine = "sources: []\n"
    (folder / "ragline.yaml").write_text(mine, "utf-8")
    home.run("init", status=2)
    assert "ragline.yaml exists; edit it, or replace it with --force" in home.errors
    assert (folder / "ragline.yaml").read_text("utf-8") == mine
    home.run("init", "--force")
    assert (folder / "ragline.yaml").read_text("utf-8") != mine
    home.run("init", "nowhere", status=2)
    assert "there is no folder" in home.errors


def test_repository_is_synced_as_it_was_proposed(
    tmp_path: Path, database_url: str, model_cache: Path
):
    write(tmp_path, "docs/tea.md")
    commit(tmp_path)
    (tmp_path / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (tmp_path / ".ragline" / "models").symlink_to(model_cache)
    home = Home(tmp_path, database_url)
    home.run("init")
    report = home.read("sync")
    assert report["sources"]["repository"]["added"] == 1
