"""The kind `connector` with the parts of the package, and with parts that fail."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import Secret, ValidationError
from unstructured_ingest.data_types.file_data import (
    BatchFileData,
    BatchItem,
    FileData,
    FileDataSourceMetadata,
    SourceIdentifiers,
)
from unstructured_ingest.interfaces import (
    AccessConfig,
    ConnectionConfig,
    Downloader,
    DownloaderConfig,
    Indexer,
    IndexerConfig,
)
from unstructured_ingest.processes.connector_registry import SourceRegistryEntry, source_registry

from ragline.errors import (
    DocumentError,
    DocumentTooLargeError,
    DocumentUnreadableError,
    PermissionsUnavailableError,
    SourceUnavailableError,
)
from ragline.sources.connector.connection import Connection, _set_up
from ragline.sources.connector.settings import ConnectorSettings
from ragline.sources.protocol import FailedFetch, FetchedDocument, Source
from ragline.sources.registry import open_source
from ragline.storage.database import Database

SECRET = "hunter2-and-more"


class WikiAccess(AccessConfig):
    token: str


class WikiConnection(ConnectionConfig):
    access_config: Secret[WikiAccess]
    url: str = "https://wiki.example"


class WikiIndexing(IndexerConfig):
    space: str = "all"
    max_num_of_docs_from_each_space: int = 100


class WikiDownloading(DownloaderConfig):
    pass


@dataclass
class Wiki:
    """The behaviour of the connector of these tests."""

    index: Callable[[], Iterator[Any]] = lambda: iter(())
    files: dict[str, bytes] = field(default_factory=dict)
    is_async: bool = False
    failure: Exception | None = None
    folders: list[Path] = field(default_factory=list)
    indexings: int = 0


@pytest.fixture
def wiki(monkeypatch: pytest.MonkeyPatch) -> Wiki:
    """A connector of the type `wiki` in the registry of the package."""
    wiki = Wiki()

    @dataclass
    class WikiIndexer(Indexer):
        connection_config: WikiConnection
        index_config: WikiIndexing
        connector_type: str = "wiki"

        def is_async(self) -> bool:
            return wiki.is_async

        def run(self, **_: Any) -> Iterator[FileData]:
            wiki.indexings += 1
            yield from wiki.index()

        async def run_async(self, **_: Any) -> AsyncIterator[FileData]:
            for file_data in wiki.index():
                yield file_data

    @dataclass
    class WikiDownloader(Downloader):
        connection_config: WikiConnection
        download_config: WikiDownloading = field(default_factory=WikiDownloading)
        connector_type: str = "wiki"

        def run(self, file_data: FileData, **_: Any) -> Any:
            if wiki.failure is not None:
                raise wiki.failure
            path = self.get_download_path(file_data)
            assert path is not None
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wiki.files[file_data.identifier])
            wiki.folders.append(self.download_dir)
            attachment = file_data.model_copy(update={"identifier": "attachment"})
            return [
                self.generate_download_response(attachment, path),
                self.generate_download_response(file_data, path),
            ]

    entry = SourceRegistryEntry(
        indexer=WikiIndexer,
        indexer_config=WikiIndexing,
        downloader=WikiDownloader,
        downloader_config=WikiDownloading,
        connection_config=WikiConnection,
    )
    monkeypatch.setitem(source_registry, "wiki", entry)
    monkeypatch.setenv("WIKI_TOKEN", SECRET)
    return wiki


@pytest.fixture
def open_connector(tmp_path: Path, database: Database) -> Callable[..., Source]:
    """Opens the source as a new process does."""

    def open_with(connector: str = "wiki", **settings: Any) -> Source:
        stated = {
            "name": "wiki-pages",
            "collection": "c",
            "kind": "connector",
            "connector": connector,
            "credentials": {"token": "WIKI_TOKEN"} if connector == "wiki" else {},
            **settings,
        }
        return open_source(ConnectorSettings.model_validate(stated), tmp_path / "home", database)

    return open_with


def make_file(identifier: str, path: str | None = None, **metadata: Any) -> FileData:
    path = path or f"{identifier}.txt"
    return FileData(
        identifier=identifier,
        connector_type="wiki",
        source_identifiers=SourceIdentifiers(
            filename=path.rpartition("/")[2], fullpath=f"/{path}", rel_path=path
        ),
        metadata=FileDataSourceMetadata(version="1", date_processed="now", **metadata),
    )


def fetch(source: Source, document_id: str) -> FetchedDocument | FailedFetch:
    (answer,) = source.fetch_documents([document_id])
    return answer


def failure_of(source: Source, document_id: str) -> DocumentError:
    answer = fetch(source, document_id)
    assert isinstance(answer, FailedFetch)
    return answer.error


@pytest.mark.parametrize("is_async", [False, True])
def test_files_are_listed_and_fetched_with_principals_and_metadata(wiki, open_connector, is_async):
    wiki.is_async = is_async
    readers = [{"read": {"users": ["u"], "groups": ["g"]}}]
    stated = {"url": "https://wiki.example/1", "permissions_data": readers}
    wiki.index = lambda: iter([make_file("1", "docs/one.md", **stated)])
    wiki.files = {"1": b"# One"}
    (listed,) = open_connector().list_documents()
    assert listed.document_id == "docs/one.md"
    assert fetch(open_connector(), "docs/one.md") == FetchedDocument(
        document_id="docs/one.md",
        content=b"# One",
        name="one.md",
        metadata={"connector": "wiki", "filename": "one.md", "url": "https://wiki.example/1"},
        principals=("group:g", "user:u"),
    )


def test_downloaded_files_are_deleted(wiki, open_connector, tmp_path):
    wiki.index = lambda: iter([make_file("1"), make_file("2")])
    wiki.files = {"1": b"one", "2": b"two"}
    ids = [listed.document_id for listed in open_connector().list_documents()]
    assert len(list(open_connector().fetch_documents(ids))) == 2
    assert all(str(folder).startswith(str(tmp_path / "home")) for folder in wiki.folders)
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []
    assert not any(folder.exists() for folder in wiki.folders)


def test_unknown_principals_fail_one_document_and_permit_no_access(wiki, open_connector):
    wiki.index = lambda: iter(
        [make_file("1", permissions_data=[{}]), make_file("2", permissions_data=None)]
    )
    wiki.files = {"1": b"one", "2": b"two"}
    list(open_connector().list_documents())
    assert isinstance(failure_of(open_connector(), "1.txt"), PermissionsUnavailableError)
    assert wiki.folders == []
    assert fetch(open_connector(), "2.txt").principals is None
    assert fetch(open_connector(use_permissions=False), "1.txt").principals is None


def fail_midway() -> Iterator[FileData]:
    yield make_file("1")
    raise ConnectionResetError(f"https://bot:{SECRET}@wiki.example went\n away, token={SECRET}")


def log_and_continue() -> Iterator[FileData]:
    yield make_file("1")
    logging.getLogger("unstructured_ingest").error("Error retrieving page 2: timed out")


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("index", "said"),
    [
        (fail_midway, r"cannot be listed: https://wiki.example went away, token=\*\*\*$"),
        (log_and_continue, "left files out: Error retrieving page 2: timed out"),
    ],
)
def test_incomplete_listing_lists_nothing(wiki, open_connector, index, said, is_async):
    wiki.index, wiki.is_async = index, is_async
    with pytest.raises(SourceUnavailableError, match=said) as caught:
        next(open_connector().list_documents())
    assert "source wiki-pages: the connector wiki" in str(caught.value)
    assert SECRET not in str(caught.value)
    with pytest.raises(SourceUnavailableError):
        open_connector().probe()


def test_logged_error_about_permissions_does_not_fail_the_listing(wiki, open_connector):
    def index() -> Iterator[FileData]:
        logging.getLogger("unstructured_ingest").error("forbidden fetching permissions for x")
        yield make_file("1")

    wiki.index = index
    assert len(list(open_connector().list_documents())) == 1


def test_failed_listing_keeps_the_saved_state(wiki, open_connector):
    wiki.index = lambda: iter([make_file("1")])
    wiki.files = {"1": b"one"}
    list(open_connector().list_documents())
    wiki.index = fail_midway
    with pytest.raises(SourceUnavailableError):
        list(open_connector().list_documents())
    assert fetch(open_connector(), "1.txt").content == b"one"


def test_space_at_its_limit_fails_the_listing(wiki, open_connector):
    wiki.index = lambda: (
        make_file(f"{space}{n}", record_locator={"space_id": space})
        for space in "ab"
        for n in (1, 2)
    )
    index = {"max_num_of_docs_from_each_space": 2}
    with pytest.raises(SourceUnavailableError, match="the space a has 2 documents or more; raise"):
        list(open_connector(index=index).list_documents())
    index = {"max_num_of_docs_from_each_space": 3}
    assert len(list(open_connector(index=index).list_documents())) == 4


def test_rows_in_batches_are_refused(wiki, open_connector):
    batch = BatchFileData(connector_type="wiki", batch_items=[BatchItem(identifier="1")])
    wiki.index = lambda: iter([batch])
    with pytest.raises(SourceUnavailableError, match="use the kind sql"):
        list(open_connector().list_documents())


def test_failed_download_fails_one_document_and_shows_no_secret(wiki, open_connector):
    wiki.index = lambda: iter([make_file("1")])
    list(open_connector().list_documents())
    wiki.failure = TimeoutError(f"no answer to {SECRET}")
    error = failure_of(open_connector(), "1.txt")
    assert isinstance(error, DocumentUnreadableError)
    assert str(error) == "cannot be downloaded: no answer to ***"


def test_missing_package_of_a_download_makes_the_source_unavailable(wiki, open_connector):
    wiki.index = lambda: iter([make_file("1")])
    list(open_connector().list_documents())
    wiki.failure = ImportError("No module named 'wiki_client'")
    with pytest.raises(SourceUnavailableError, match=r"unstructured-ingest\[wiki\]"):
        fetch(open_connector(), "1.txt")


@pytest.mark.parametrize("is_stated", [True, False])
def test_file_over_the_limit_is_refused(wiki, open_connector, is_stated):
    wiki.index = lambda: iter([make_file("1", filesize_bytes=101 if is_stated else None)])
    wiki.files = {"1": b"x" * 101}
    list(open_connector().list_documents())
    error = failure_of(open_connector(max_document_bytes=100), "1.txt")
    assert isinstance(error, DocumentTooLargeError)
    assert len(wiki.folders) == (0 if is_stated else 1)


def test_path_outside_the_folder_is_refused(wiki, open_connector, tmp_path):
    wiki.index = lambda: iter([make_file("1", "../../../outside.txt")])
    wiki.files = {"1": b"one"}
    list(open_connector().list_documents())
    assert "is outside" in str(failure_of(open_connector(), "../../../outside.txt"))
    assert list(tmp_path.rglob("outside.txt")) == []


def test_probe_lists_again_after_list_every(wiki, open_connector, monkeypatch):
    wiki.index = lambda: iter([make_file("1")])
    first = open_connector().probe()
    wiki.index = lambda: iter([make_file("1"), make_file("2")])
    assert open_connector().probe() == first
    assert wiki.indexings == 1
    monkeypatch.setattr("ragline.sources.connector.source.ConnectorSource._is_old", lambda *_: True)
    assert open_connector().probe() != first
    assert wiki.indexings == 2


def test_unchanged_listing_only_saves_its_time(wiki, open_connector, database):
    def read_times() -> dict[str, Any]:
        with database.connect() as connection:
            rows = connection.exec_driver_sql("select key, noted_at from ragline.source_notes")
            return {row.key: row.noted_at for row in rows}

    wiki.index = lambda: iter([make_file("1"), make_file("2")])
    list(open_connector().list_documents())
    before = read_times()
    wiki.index = lambda: iter([make_file("1"), make_file("3")])
    list(open_connector().list_documents())
    after = read_times()
    assert after.keys() == {"probe", "document:1.txt", "document:3.txt"}
    assert after["document:1.txt"] == before["document:1.txt"]


@pytest.mark.parametrize(
    ("connector", "settings", "said"),
    [
        ("nothing", {}, "there is no connector of this type; known: airtable, .*confluence"),
        (
            "wiki",
            {"index": {"spaze": "x"}},
            "index: unknown setting 'spaze'; allowed: max_.*, space",
        ),
        ("wiki", {"connection": {"urll": "x"}}, "connection: unknown setting 'urll'"),
        ("wiki", {"index": {"space": 7}}, "index: space: Input should be a valid string"),
        ("wiki", {"credentials": {}}, "connection: credentials.token: Field required"),
        ("wiki", {"credentials": {"token": "NOT_SET"}}, "NOT_SET is not set"),
    ],
)
@pytest.mark.usefixtures("wiki")
def test_unknown_settings_of_a_connector_are_named(open_connector, connector, settings, said):
    with pytest.raises(SourceUnavailableError, match=said):
        list(open_connector(connector, **settings).list_documents())


@pytest.mark.parametrize(
    ("connector", "connection", "index", "secrets"),
    [
        (
            "confluence",
            {"url": "https://x.example", "username": "u"},
            {"spaces": ["A"]},
            "api_token",
        ),
        ("sharepoint", {"client_id": "c", "tenant": "t", "site": "https://x"}, {}, "client_cred"),
        ("google_drive", {"drive_id": "d"}, {"recursive": True}, "service_account_key"),
        ("jira", {"url": "https://x.example", "username": "u"}, {"projects": ["P"]}, "password"),
        ("notion", {}, {"page_ids": ["p"]}, "notion_api_key"),
        ("slack", {}, {"channels": ["c"]}, "token"),
        ("github", {"url": "https://github.com/a/b"}, {"recursive": True}, "access_token"),
        ("s3", {}, {"remote_url": "s3://bucket/", "recursive": True}, "key secret"),
    ],
)
def test_settings_of_the_connectors_of_the_package_are_valid(
    monkeypatch, connector, connection, index, secrets
):
    # A key of a service account is JSON, and any other secret may be.
    monkeypatch.setenv("SECRET_VALUE", '{"type": "service_account"}')
    settings = ConnectorSettings.model_validate(
        {
            "name": "s",
            "collection": "c",
            "kind": "connector",
            "connector": connector,
            "connection": connection,
            "index": index,
            "credentials": dict.fromkeys(secrets.split(), "SECRET_VALUE"),
        }
    )
    opened = Connection(settings)
    assert opened._connection.get_access_config()
    entry = source_registry[connector]
    config = _set_up(entry.indexer_config, settings.index, "index")
    entry.indexer(connection_config=opened._connection, index_config=config)


def test_secret_of_several_lines_is_not_shown(wiki, open_connector, monkeypatch):
    monkeypatch.setenv("WIKI_TOKEN", "first line\nsecond line")
    wiki.index = lambda: iter([make_file("1")])
    list(open_connector().list_documents())
    wiki.failure = TimeoutError("no answer to first line\nsecond line")
    assert str(failure_of(open_connector(), "1.txt")) == "cannot be downloaded: no answer to ***"


def test_package_of_a_connector_that_is_not_installed_is_named(open_connector, monkeypatch):
    monkeypatch.setenv("WIKI_TOKEN", SECRET)
    credentials = {"token": "WIKI_TOKEN"}
    source = open_connector("slack", credentials=credentials, index={"channels": ["c"]})
    with pytest.raises(SourceUnavailableError, match=r"unstructured-ingest\[slack\]") as caught:
        list(source.list_documents())
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"connection": {"access_config": {"token": SECRET}}},
        {"connection": {"password": SECRET}},
        {"index": {"apiKey": SECRET}},
        {"connection": {"url": f"https://bot:{SECRET}@wiki.example"}},
    ],
)
def test_secret_in_the_configuration_is_refused_and_not_shown(open_connector, settings):
    with pytest.raises(ValidationError, match="name its environment variable") as caught:
        open_connector(**settings)
    faults = caught.value.errors(include_input=False)
    assert SECRET not in str(faults)


def test_folder_of_the_local_connector_is_relative_to_the_configuration(tmp_path):
    stated = {"name": "s", "collection": "c", "kind": "connector", "connector": "local"}
    settings = ConnectorSettings.model_validate(
        {**stated, "index": {"input_path": "docs"}}, context={"folder": tmp_path}
    )
    assert settings.index == {"input_path": str(tmp_path / "docs")}
    assert settings.address == f"local {tmp_path / 'docs'}"
    assert settings.is_local


def test_package_is_not_loaded_before_it_is_needed():
    program = (
        "import sys, ragline.configuration, ragline.sources.connector.source;"
        "print(sorted(sys.modules))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "ragline.sources.connector.source" in told
    assert "unstructured_ingest" not in told
