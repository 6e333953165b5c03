"""Files in a bucket: a real S3 client against a server of the S3 protocol on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
import s3fs
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from ragline.errors import DocumentTooLargeError, DocumentUnreadableError, SourceUnavailableError
from ragline.sources.files.settings import FilesSettings
from ragline.sources.files.source import FilesSource
from ragline.sources.protocol import FailedFetch, FetchedDocument

PAGE = 2
SECRET = "a-secret-key"


class Gate:
    """A proxy of the server: pages of two objects, and requests that it refuses or counts."""

    def __init__(self) -> None:
        self.app = DomainDispatcherApplication(create_backend_app)
        self.refuses: Callable[[dict[str, Any]], bool] = lambda _: False
        self.listings = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if "list-type" in environ["QUERY_STRING"]:
            self.listings += 1
            environ["QUERY_STRING"] += f"&max-keys={PAGE}"
        if self.refuses(parse_qs(environ["QUERY_STRING"], keep_blank_values=True)):
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>no more</Message></Error>"]
        return self.app(environ, start_response)


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    gate = Gate()
    server = make_server("127.0.0.1", 0, gate, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    gate.address = f"http://127.0.0.1:{server.port}"
    yield gate
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bucket(gate, monkeypatch) -> Iterator[Any]:
    monkeypatch.setenv("BUCKET_KEY", "someone")
    monkeypatch.setenv("BUCKET_SECRET", SECRET)
    gate.refuses = lambda _: False
    session = boto3.Session("someone", SECRET, region_name="us-east-1")
    storage = session.resource("s3", endpoint_url=gate.address)
    bucket = storage.create_bucket(Bucket="library")
    for name in ("a.md", "deep/b.md", "deep/er/c.txt", ".hidden/d.md", "deep/e.md"):
        bucket.put_object(Key=f"shelf/{name}", Body=name.encode())
    yield bucket
    bucket.objects.all().delete()
    bucket.delete()
    storage.meta.client.close()


def open_bucket(address: str, uri: str = "s3://library/shelf", **settings: object) -> FilesSource:
    return FilesSource(
        FilesSettings(
            name="s",
            collection="c",
            kind="files",
            uri=uri,
            storage={"endpoint_url": address},
            credentials={"key": "BUCKET_KEY", "secret": "BUCKET_SECRET"},
            **settings,
        )
    )


def versions(source: FilesSource) -> dict[str, str]:
    return {listed.document_id: listed.version for listed in source.list_documents()}


@pytest.mark.usefixtures("bucket")
def test_objects_of_all_result_pages_are_listed(gate):
    source = open_bucket(gate.address)
    listed = list(source.list_documents())
    assert [one.document_id for one in listed] == [
        "a.md",
        "deep/b.md",
        "deep/e.md",
        "deep/er/c.txt",
    ]
    assert listed[0].size_bytes == 4
    assert listed[0].changed_at is not None
    assert listed[0].changed_at.tzinfo is not None


@pytest.mark.usefixtures("bucket")
def test_patterns_select_objects(gate):
    source = open_bucket(gate.address, include=["*.md"], exclude=["deep/e*"])
    assert list(versions(source)) == ["a.md", "deep/b.md"]


def test_folder_object_of_a_console_is_not_a_document(gate, bucket):
    bucket.put_object(Key="shelf/deep/", Body=b"")
    bucket.put_object(Key="shelf/", Body=b"")
    assert len(versions(open_bucket(gate.address))) == 4


@pytest.mark.parametrize("is_reopened", [True, False])
def test_edit_and_removal_are_detected_immediately(gate, bucket, is_reopened):
    source = open_bucket(gate.address)
    before, probe = versions(source), source.probe()
    bucket.put_object(Key="shelf/a.md", Body=b"edited")
    bucket.Object("shelf/deep/b.md").delete()
    bucket.put_object(Key="shelf/new.md", Body=b"new")
    source = open_bucket(gate.address) if is_reopened else source
    after = versions(source)
    assert after.keys() == before.keys() - {"deep/b.md"} | {"new.md"}
    assert after["a.md"] != before["a.md"]
    assert after["deep/e.md"] == before["deep/e.md"]
    assert source.probe() != probe
    (fetched,) = source.fetch_documents(["a.md"])
    assert isinstance(fetched, FetchedDocument)
    assert (fetched.content, fetched.name) == (b"edited", "a.md")


def test_same_bytes_put_again_are_the_same_version(gate, bucket):
    source = open_bucket(gate.address)
    before = versions(source)
    bucket.put_object(Key="shelf/a.md", Body=b"a.md")
    assert versions(source) == before


def test_large_and_removed_objects_only_fail_themselves(gate, bucket):
    bucket.put_object(Key="shelf/big.md", Body=b"x" * 101)
    bucket.put_object(Key="shelf/empty.md", Body=b"")
    source = open_bucket(gate.address, max_document_bytes=100)
    big, gone, empty, good = source.fetch_documents(["big.md", "gone.md", "empty.md", "a.md"])
    assert isinstance(big, FailedFetch)
    assert isinstance(big.error, DocumentTooLargeError)
    assert isinstance(gone, FailedFetch)
    assert isinstance(gone.error, DocumentUnreadableError)
    assert isinstance(empty, FetchedDocument)
    assert isinstance(good, FetchedDocument)


@pytest.mark.usefixtures("bucket")
def test_listing_that_fails_after_a_page_is_incomplete(gate):
    gate.refuses = lambda query: "continuation-token" in query
    with pytest.raises(SourceUnavailableError, match="cannot be listed"):
        list(open_bucket(gate.address).list_documents())


@pytest.mark.usefixtures("bucket")
def test_missing_bucket_is_unavailable(gate):
    with pytest.raises(SourceUnavailableError, match="no file or folder at this URL"):
        list(open_bucket(gate.address, "s3://elsewhere/shelf").list_documents())


def test_missing_secret_is_named_by_its_variable():
    with pytest.raises(SourceUnavailableError, match="the environment variable BUCKET_KEY"):
        open_bucket("http://127.0.0.1:9").probe()


def test_endpoint_that_refuses_connections_is_unavailable(monkeypatch):
    monkeypatch.setattr(s3fs.core, "S3_RETRYABLE_ERRORS", ())
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("BUCKET_KEY", "someone")
    monkeypatch.setenv("BUCKET_SECRET", SECRET)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    source = open_bucket(f"http://127.0.0.1:{port}")
    with pytest.raises(SourceUnavailableError, match="s3://library/shelf") as caught:
        list(source.list_documents())
    assert SECRET not in str(caught.value)
    with pytest.raises(SourceUnavailableError):
        source.probe()
    with pytest.raises(SourceUnavailableError):
        list(source.fetch_documents(["a.md", "deep/b.md"]))


def test_secret_in_the_configuration_is_refused():
    with pytest.raises(ValueError, match="secret is a secret"):
        FilesSettings(name="s", collection="c", kind="files", uri="s3://b", storage={"secret": "x"})
