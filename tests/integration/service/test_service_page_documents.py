"""Documents on the page: every listed document can be opened, in any state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lxml import html
from running_service import RunningService, run_service, wait_until
from sqlalchemy import text

from ragline.access.keys import Scope, create_key
from ragline.configuration import Configuration, load_configuration
from ragline.embedder.embedder import Embedder
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.embeddings import embed_chunks
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.search_index import publish_index
from ragline.lifecycle.states import STATES
from ragline.storage.database import open_database

CONFIGURATION = """
collections:
  - name: notes
sources:
  - name: note-files
    collection: notes
    kind: files
    uri: ./notes
    metadata: {team: harbour}
"""
NOTES = {
    "gates/north.md": "# The north gate\n\nIt opens *at seven* and closes at nine, see `gate()`.",
    "gates/south.md": "The south gate is closed in winter.\n\n"
    + "\n\n".join(f"Rule {n}: " + "boats wait for the signal of the gate. " * 12 for n in range(6)),
    "gates/50%_off <sale>.md": "Prices of the harbour.",
    "quarantined.txt": " \n",
    "failed.md": "A note about the old crane.",
    "pending.md": "A note about the ferry.",
    "unsupported.md": "A note about the light house.",
    "missing.md": "A note about the lost anchor.",
    "removed.md": "A note about the lost buoy.",
}
RUN = "0aa5c1c2-66fa-4f0e-9c53-63b1f8b2c3d4"


@pytest.fixture(scope="module")
def harbour(
    tmp_path_factory: pytest.TempPathFactory, model_cache: Path, embedder: Embedder
) -> Iterator[RunningService]:
    """A service with notes, one in each state of a document."""
    folder = tmp_path_factory.mktemp("harbour")
    (folder / "home").mkdir()
    (folder / "home" / "models").symlink_to(model_cache)
    for name, note in NOTES.items():
        path = folder / "notes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(note, "utf-8")
    (folder / "ragline.yaml").write_text(CONFIGURATION, "utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAGLINE_HOME", str(folder / "home"))
        environment.delenv("RAGLINE_DATABASE_URL", raising=False)
        configuration = load_configuration(folder / "ragline.yaml")
    sync(configuration, embedder, "first-run")
    (folder / "notes" / "removed.md").unlink()
    (folder / "notes" / "gates" / "late.md").write_text("A gate that came later.", "utf-8")
    sync(configuration, embedder, RUN)
    with run_service(configuration) as running:
        wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
        put_into(running, "pending.md", "pending")
        put_into(running, "missing.md", "missing", missing_since="2026-01-01T00:00:00Z")
        put_into(running, "unsupported.md", "unsupported", error_name="UnsupportedFormatError",
                 error="install pandoc", next_attempt_at="2026-01-01T00:00:00Z")  # fmt: skip
        put_into(running, "failed.md", "failed", error_name="SourceUnavailableError",
                 error="no route", attempts=2, next_attempt_at="2100-01-01T00:00:00Z")  # fmt: skip
        yield running


def sync(configuration: Configuration, embedder: Embedder, run_id: str) -> None:
    with (
        open_database(configuration) as database,
        RunContext(configuration, database, run_id) as run_context,
    ):
        run_context.models.add_embedder(embedder.space.model, embedder)
        for stage in (sync_documents, build_chunks, embed_chunks, apply_entries):
            stage(run_context, "note-files")
        publish_index(run_context, "notes")


def put_into(running: RunningService, document_id: str, state: str, **values: object) -> None:
    """Set a state in the ledger that otherwise takes hours to reach."""
    changes = "".join(f", {name} = :{name}" for name in values)
    statement = f"update ragline.documents set state = :state{changes} where document_id = :id"
    with running.service.database.begin() as connection:
        connection.execute(text(statement), {"state": state, "id": document_id, **values})


@pytest.fixture
def client(harbour: RunningService) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=harbour.url, timeout=30) as client:
        yield client


def look(client: httpx2.Client, path: str, **parameters: str) -> Any:
    answer = client.get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    return html.fromstring(answer.text)


def words(element: Any) -> str:
    return " ".join(element.text_content().split())


def listed(page: Any) -> list[str]:
    return [words(code) for code in page.xpath("//tbody//td[1]/code")]


def facts(page: Any) -> dict[str, str]:
    return {
        words(row.xpath("dt")[0]): words(row.xpath("dd")[0])
        for row in page.xpath("//section[contains(@class, 'state')]//dl/div")
    }


def test_every_listed_document_can_be_opened(client: httpx2.Client) -> None:
    page = look(client, "/documents")
    links = page.xpath("//tbody//td[1]/a/@href")
    assert len(links) == len(listed(page)) == len(NOTES) - 1
    for link, document_id in zip(links, listed(page), strict=True):
        document = look(client, link)
        assert document_id in words(document.xpath("//main")[0])


def test_quarantined_document_shows_cause_and_remedy(client: httpx2.Client) -> None:
    page = look(client, "/documents", document_id="quarantined.txt")
    assert words(page.xpath("//h1")[0]) == "quarantined.txt"
    received = facts(page)
    assert received["Error"] == "EmptyDocumentError"
    assert received["Cause"]
    assert received["Next attempt"].startswith("When it changes")
    assert "ragline quarantine release note-files quarantined.txt" in received["What to do"]
    assert page.find_class("chunk") == []
    assert "notes/quarantined.txt" in words(page.find_class("original")[0])


@pytest.mark.parametrize("state", STATES)
def test_each_state_has_a_description(client: httpx2.Client, state: str) -> None:
    (document_id,) = [name for name in NOTES if name.startswith(state)] or ["gates/south.md"]
    page = look(client, "/documents", document_id=document_id)
    (shown,) = page.find_class("state")
    assert words(shown.xpath(".//h2")[0]) == state
    received = facts(page)
    assert (
        (received == {})
        if state == "ready"
        else (received["Next attempt"] and received["What to do"])
    )
    assert document_id in listed(look(client, "/documents", state=state))
    # The version that was indexed before is still shown.
    is_served = state not in ("quarantined", "removed")
    assert bool(page.find_class("chunk")) is is_served


def test_failed_document_shows_its_next_attempt(client: httpx2.Client) -> None:
    received = facts(look(client, "/documents", document_id="failed.md"))
    assert "2100-01-01 00:00:00 UTC" in received["Next attempt"]
    assert (received["Error"], received["Cause"]) == ("SourceUnavailableError", "no route")
    assert "ragline retry note-files failed.md" in received["What to do"]


def test_documents_are_found_by_part_of_their_id_or_title(client: httpx2.Client) -> None:
    assert len(listed(look(client, "/documents", part="GATES/"))) == 4
    assert listed(look(client, "/documents", part="north gate")) == ["gates/north.md"]
    # A pattern of SQL or of regular expressions is plain text here.
    assert listed(look(client, "/documents", part="50%_")) == ["gates/50%_off <sale>.md"]
    assert listed(look(client, "/documents", part="%")) == ["gates/50%_off <sale>.md"]
    nothing = look(client, "/documents", part="zeppelin")
    assert "No document of notes has “zeppelin” in its id or title" in words(nothing)


def test_paging_keeps_state_and_part(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval_api.page.document_pages.MAX_PAGE_DOCUMENTS", 2)
    page = look(client, "/documents", part="gates/", state="ready")
    assert len(listed(page)) == 2
    (link,) = page.xpath("//a[@rel='next']/@href")
    after = look(client, link)
    assert len(listed(after)) == 2
    assert after.xpath("//input[@name='part']/@value") == ["gates/"]
    (back,) = after.xpath("//nav[@class='pages']/a/@href")
    assert listed(look(client, back)) == listed(page)


def test_states_link_to_their_documents(client: httpx2.Client) -> None:
    page = look(client, "/documents")
    links = {words(link): link.get("href") for link in page.find_class("chips")[0].iter("a")}
    assert set(links) == {
        "at the source", "ready 4", "pending 1", "failed 1", "quarantined 1", "unsupported 1",
        "missing 1", "removed 1",
    }  # fmt: skip
    assert listed(look(client, links["quarantined 1"])) == ["quarantined.txt"]


def test_text_is_rendered_with_highlights(client: httpx2.Client) -> None:
    page = look(client, "/", q="when does the north gate open")
    first = page.find_class("hit")[0]
    assert "*" not in words(first.find_class("text")[0])
    assert [words(code) for code in first.find_class("text")[0].iter("code")] == ["gate()"]
    marks = {words(mark).lower() for mark in first.iter("mark")}
    assert {"opens", "gate"} & marks
    document = look(client, first.xpath(".//h3/a/@href")[0])
    assert {words(mark).lower() for mark in document.iter("mark")} == marks


def test_neighbours_and_section_of_a_hit_are_shown(client: httpx2.Client) -> None:
    page = look(client, "/", q="closed in winter", mode="keyword")
    first = page.find_class("hit")[0]
    (around,) = first.find_class("around")
    assert [words(heading) for heading in around.iter("h4")] == ["After"]
    assert "Rule" in words(around)
    receipt = look(client, around.xpath(".//a/@href")[0])
    summaries = [words(one) for one in receipt.xpath("//div[@id='section']//summary")]
    assert summaries == ["After", "The section"]
    assert "Rule 5" in words(receipt.get_element_by_id("section"))


def test_document_without_a_title_has_its_file_name(client: httpx2.Client) -> None:
    page = look(client, "/documents")
    names = [words(link) for link in page.xpath("//tbody//td[1]/a")]
    assert "south.md" in names
    assert "Markdown" in words(page.xpath("//tbody")[0])


def test_history_lists_changes_and_runs(harbour: RunningService, client: httpx2.Client) -> None:
    with harbour.service.database.begin() as connection:
        connection.execute(
            text(
                "insert into ragline.clock_readings "
                "(source_id, document_id, clock, started_at, noticed_at, stopped_at, run_id) "
                "select id, 'gates/south.md', 'visible', now() - interval '90 s', now(), now(), "
                "cast(:run as text) from ragline.sources"
            ),
            {"run": RUN},
        )
    page = look(client, "/documents", document_id="gates/south.md")
    (row, *_) = page.xpath("//details//tbody/tr")
    assert "visible" in words(row)
    assert RUN in words(row)


@pytest.mark.parametrize(
    ("address", "links"),
    [
        ("", []),
        ("javascript:alert(1)", []),
        ("http://dagster.example:3000/", [f"http://dagster.example:3000/runs/{RUN}"]),
    ],
)
def test_run_links_to_dagster_if_its_address_is_known(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch, address: str, links: list[str]
) -> None:
    monkeypatch.setenv("RAGLINE_DAGSTER_URL", address)
    page = look(client, "/documents", document_id="gates/late.md")
    assert page.xpath("//li[@class='chunk']//a[contains(@href, '/runs/')]/@href") == links
    first = look(client, "/documents", document_id="gates/south.md")
    assert first.xpath("//li[@class='chunk']//a[contains(@href, '/runs/')]") == []


@pytest.fixture
def sign_in(harbour: RunningService, client: httpx2.Client) -> Iterator[Callable[..., None]]:
    """Give the client a key. Afterwards, no key exists."""
    database = harbour.service.database

    def use_key(*scopes: Scope, principals: tuple[str, ...] = ()) -> None:
        key = create_key(
            database, name="reader", tenant="default", scopes=scopes, principals=principals
        )
        wait_until(lambda: client.get("/v1/collections").status_code == 401, 15)
        client.headers["authorization"] = f"Bearer {key}"

    yield use_key
    with database.begin() as connection:
        connection.execute(text("delete from ragline.api_keys"))
    client.headers.pop("authorization", None)
    wait_until(lambda: client.get("/v1/collections").status_code == 200, 15)


def test_caller_with_scope_search_sees_neither_paths_nor_messages(
    client: httpx2.Client, sign_in: Callable[..., None]
) -> None:
    sign_in("search")
    page = look(client, "/documents", document_id="quarantined.txt")
    received = facts(page)
    assert received["Error"] == "EmptyDocumentError"
    assert "a key with the scope admin" in received["Cause"]
    assert page.find_class("original") == []
    assert page.find_class("command") == []
    assert "removed" not in words(look(client, "/documents").find_class("chips")[0])
    answer = client.get("/documents", params={"document_id": "removed.md"})
    assert answer.status_code == 404


def test_document_of_other_principals_does_not_exist(
    harbour: RunningService, client: httpx2.Client, sign_in: Callable[..., None]
) -> None:
    statement = "update ragline.documents set principals = :who where document_id = 'failed.md'"
    with harbour.service.database.begin() as connection:
        connection.execute(text(statement), {"who": ["pilots"]})
    sign_in("search", "admin", principals=("sailors",))
    assert "failed.md" not in listed(look(client, "/documents"))
    assert client.get("/documents", params={"document_id": "failed.md"}).status_code == 404
    assert "failed" not in words(look(client, "/documents").find_class("chips")[0])
    with harbour.service.database.begin() as connection:
        connection.execute(text(statement), {"who": None})
