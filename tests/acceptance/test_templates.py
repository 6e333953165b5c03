"""`ragline init --template`: each template leads from an empty folder to a check and a search."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ragline_home import Home

from ragline.configuration import load_configuration
from ragline.errors import FileNotWrittenError
from ragline.templates.catalog import TEMPLATES, write_template

SAMPLE_ADDRESS = "127.0.0.1:8899"


@pytest.fixture
def home(tmp_path: Path, database_url: str, model_cache: Path) -> Home:
    """An empty folder, except for the exported model below `.ragline`."""
    (tmp_path / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (tmp_path / ".ragline" / "models").symlink_to(model_cache)
    return Home(tmp_path, database_url)


@pytest.fixture
def sample_site(tmp_path: Path) -> Iterator[str]:
    """A web server on a free port for the folder site/, as the template starts one."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def start(home: Home, name: str) -> dict[str, Any]:
    """Write a template and compare the output with the files that it wrote."""
    written = home.read("init", "--template", name)
    assert written.keys() == {"path", "collection", "sources"}
    assert written["path"] == str(home.folder / "ragline.yaml")
    assert [source["holds"] for source in written["sources"]] == [TEMPLATES[name].sample]
    return dict(written)


def find_answer(home: Home, name: str, collection: str, document_count: int) -> dict[str, Any]:
    """Check, sync and search; the first hit of the template's question."""
    checked = home.read("check")
    assert checked["ok"]
    assert checked["faults"] == []
    (report,) = home.read("sync")["sources"].values()
    assert report["added"] == document_count
    hits = home.read("search", collection, TEMPLATES[name].question)["hits"]
    return dict(hits[0])


def test_files_lead_to_a_check_and_a_search(home: Home) -> None:
    written = start(home, "files")
    hit = find_answer(home, "files", written["collection"], document_count=3)
    assert hit["document_id"] == "membership.md"
    assert "3 euros" in hit["text"]


def test_website_leads_to_a_check_and_a_search(home: Home, sample_site: str) -> None:
    written = start(home, "website")
    path = home.folder / "ragline.yaml"
    path.write_text(path.read_text("utf-8").replace(SAMPLE_ADDRESS, sample_site), "utf-8")
    hit = find_answer(home, "website", written["collection"], document_count=3)
    assert hit["document_id"] == f"http://{sample_site}/rooms.html"
    assert "Dogs are welcome" in hit["text"]


def test_database_leads_to_a_check_and_a_search(
    home: Home, make_database_url: Callable[[], str]
) -> None:
    written = start(home, "database")
    url = make_database_url()
    with psycopg.connect(url) as connection:
        connection.execute((home.folder / "sample.sql").read_bytes())
    home.environment["SOURCE_DATABASE_URL"] = url
    hit = find_answer(home, "database", written["collection"], document_count=3)
    assert hit["document_id"] == "3"
    assert hit["metadata"]["author"] == "Ida"


def test_database_template_also_works_with_sqlite(home: Home) -> None:
    written = start(home, "database")
    text = (home.folder / "ragline.yaml").read_text("utf-8")
    (command,) = (line[1:].strip() for line in text.splitlines() if "import sqlite3" in line)
    code = command.removeprefix('python -c "').removesuffix('"')
    home.run_python(code)
    home.environment["SOURCE_DATABASE_URL"] = f"sqlite:///{home.folder}/sample.db"
    assert find_answer(home, "database", written["collection"], 3)["document_id"] == "3"


def test_tickets_lead_to_a_check_and_a_filtered_search(home: Home) -> None:
    written = start(home, "tickets")
    hit = find_answer(home, "tickets", written["collection"], document_count=5)
    assert hit["document_id"] == "T-1001"
    (line,) = (
        line
        for line in (home.folder / "ragline.yaml").read_text("utf-8").splitlines()
        if "--filter" in line
    )
    condition = line.partition("--filter '")[2].partition("'")[0]
    hits = home.read("search", written["collection"], "password", "--filter", condition)["hits"]
    assert {hit["document_id"] for hit in hits} == {"T-1001", "T-1005"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_overwrites_no_file(home: Home, name: str) -> None:
    start(home, name)
    files = {path: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()}
    configuration = home.folder / "ragline.yaml"
    configuration.write_text("sources: []\n", "utf-8")
    home.run("init", "--template", name, status=2)
    assert "ragline.yaml exists and is not overwritten" in home.errors
    assert configuration.read_text("utf-8") == "sources: []\n"

    configuration.unlink()
    home.run("init", "--template", name, status=2)
    assert "exists and is not overwritten" in home.errors
    assert not configuration.exists()
    for path in files.keys() - {configuration}:
        assert path.read_bytes() == files[path]


def test_template_that_cannot_be_written_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "documents").write_text("a file where the template needs a folder", "utf-8")
    with pytest.raises(FileNotWrittenError, match=r"documents.* could not be written"):
        write_template("files", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["documents"]


def test_template_and_force_contradict_each_other(home: Home) -> None:
    home.run("init", "--template", "files", "--force", status=2)
    assert "--template overwrites no file" in home.errors
    assert not (home.folder / "ragline.yaml").exists()


def test_template_creates_its_folder_and_prints_the_next_commands(home: Home) -> None:
    lines = home.run("init", "my search", "--template", "files").splitlines()
    assert (home.folder / "my search" / "ragline.yaml").is_file()
    assert lines[-4:] == [
        "  cd 'my search'",
        "  ragline check",
        "  ragline sync",
        f'  ragline search handbook "{TEMPLATES["files"].question}"',
    ]


@pytest.mark.parametrize("name", TEMPLATES)
def test_help_and_page_name_each_template(home: Home, name: str) -> None:
    assert f"`{name}`" in home.run("init", "--help")
    page = Path(__file__).parents[2] / "docs" / "templates.md"
    assert f"| `{name}` | {TEMPLATES[name].summary} |" in page.read_text("utf-8")


def test_each_template_loads_without_a_network(home: Home) -> None:
    for name in TEMPLATES:
        home.run("init", name, "--template", name)
        assert load_configuration(home.folder / name / "ragline.yaml").sources
