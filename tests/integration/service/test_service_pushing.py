"""Pushed documents over loopback: what is stored, what is refused, and what the source lists."""

from __future__ import annotations

import hashlib
import random
import socket
import string
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from running_service import INBOX, RunningService

from ragline.sources.protocol import FetchedDocument
from ragline.sources.push.source import PushSource
from retrieval_api.problems import MEDIA_TYPE

LIMIT_BYTES = INBOX.max_document_bytes


@pytest.fixture
def client(pushable: RunningService) -> Iterator[httpx2.Client]:
    """A client of the service. No document exists."""
    with pushable.service.database.begin() as connection:
        connection.exec_driver_sql("truncate ragline.pushed_documents")
    with httpx2.Client(base_url=pushable.url, timeout=30) as client:
        yield client


@pytest.fixture
def source(pushable: RunningService) -> PushSource:
    """The push source, as a sync opens it."""
    return PushSource(INBOX, pushable.service.database)


def path_of(document_id: str, collection: str = "pushed") -> str:
    return f"/v1/collections/{collection}/documents/{quote(document_id, safe='')}"


def put(client: httpx2.Client, document_id: str, **body: Any) -> httpx2.Response:
    return client.put(path_of(document_id), json=body)


def put_file(
    client: httpx2.Client, document_id: str, content: bytes, content_type: str, query: str = ""
) -> httpx2.Response:
    headers = {"Content-Type": content_type}
    return client.put(path_of(document_id) + query, content=content, headers=headers)


def check_problem(answer: httpx2.Response, status: int, name: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"urn:ragline:problem:{name}"
    return problem


def read_all(source: PushSource) -> dict[str, FetchedDocument]:
    ids = [listed.document_id for listed in source.list_documents()]
    fetched = list(source.fetch_documents(ids))
    assert all(isinstance(document, FetchedDocument) for document in fetched), fetched
    return {
        document.document_id: document
        for document in fetched
        if isinstance(document, FetchedDocument)
    }


def test_first_put_creates_and_says_when_the_document_is_found(client: httpx2.Client) -> None:
    answer = put(client, "policies/leave.md", text="Twelve weeks.")
    assert answer.status_code == 201, answer.text
    version = answer.json()["version"]
    assert answer.json() == {
        "collection": "pushed",
        "source": "inbox",
        "document_id": "policies/leave.md",
        "status": "created",
        "version": version,
        "content_hash": hashlib.sha256(b"Twelve weeks.").hexdigest(),
        "visible_within_seconds": 60.0,
    }


def test_same_put_again_changes_nothing(client: httpx2.Client, source: PushSource) -> None:
    body = {"text": "t", "title": "T", "metadata": {"a": [1, {"b": None}]}, "principals": ["x"]}
    first = put(client, "a", **body)
    listed, probe = list(source.list_documents()), source.probe()
    again = put(client, "a", **body)
    assert again.status_code == 200
    assert again.json() == first.json() | {"status": "unchanged"}
    assert list(source.list_documents()) == listed
    assert source.probe() == probe


@pytest.mark.parametrize(
    "change",
    [
        {"text": "other"},
        {"title": "other"},
        {"title": None},
        {"metadata": {"a": 2}},
        {"metadata": {}},
        {"principals": ["x"]},
        {"principals": []},
        {"principals": None},
    ],
)
def test_every_part_of_a_document_can_be_updated(
    client: httpx2.Client, source: PushSource, change: dict[str, Any]
) -> None:
    body = {"text": "t", "title": "T", "metadata": {"a": 1}, "principals": ["x", "y"]}
    first = put(client, "a", **body)
    probe = source.probe()
    second = put(client, "a", **{**body, **change})
    assert second.status_code == 200
    assert second.json()["status"] == "updated"
    assert second.json()["version"] > first.json()["version"]
    assert source.probe() != probe


def test_order_of_principals_does_not_matter(client: httpx2.Client) -> None:
    put(client, "a", text="t", principals=["x", "y", "x"])
    assert put(client, "a", text="t", principals=["y", "x"]).json()["status"] == "unchanged"


def test_title_alone_changes_the_content_hash(client: httpx2.Client, source: PushSource) -> None:
    hashes = [
        put(client, "a", text="t", title=title).json()["content_hash"] for title in ("T", "U", None)
    ]
    assert len(set(hashes)) == 3
    content = read_all(source)["a"].content
    assert hashlib.sha256(content).hexdigest() == hashes[-1]


def test_deleted_document_is_not_listed_and_its_content_is_deleted(
    pushable: RunningService, client: httpx2.Client, source: PushSource
) -> None:
    put(client, "a", text="secret", title="secret", metadata={"m": "secret"}, principals=["p"])
    probe = source.probe()
    answer = client.delete(path_of("a"))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "collection": "pushed",
        "source": "inbox",
        "document_id": "a",
        "status": "deleted",
        "version": answer.json()["version"],
        "forgotten_within_seconds": 120.0,
    }
    assert list(source.list_documents()) == []
    assert source.probe() != probe
    with pushable.service.database.connect() as connection:
        rows = connection.exec_driver_sql("select * from ragline.pushed_documents").all()
    assert len(rows) == 1
    assert "secret" not in str(rows)
    assert source.find_change_times(["a"])["a"] == rows[0].deleted_at


def test_repeated_delete_changes_nothing(client: httpx2.Client) -> None:
    put(client, "a", text="t")
    first = client.delete(path_of("a")).json()
    again = client.delete(path_of("a"))
    assert again.status_code == 200
    assert again.json() == first | {"status": "unchanged"}


def test_delete_of_an_unknown_document_is_not_found(client: httpx2.Client) -> None:
    check_problem(client.delete(path_of("a")), 404, "unknown-document")


def test_deleted_document_can_be_created_again(client: httpx2.Client, source: PushSource) -> None:
    first = put(client, "a", text="t").json()
    deleted = client.delete(path_of("a")).json()
    again = put(client, "a", text="t")
    assert again.status_code == 201
    assert again.json()["status"] == "created"
    assert first["version"] < deleted["version"] < again.json()["version"]
    assert read_all(source)["a"].text == "t"


def test_file_is_stored_unchanged(client: httpx2.Client, source: PushSource) -> None:
    content = bytes(range(256)) * 100
    query = "?metadata=" + quote('{"year": 1958}') + "&principal=user:a&principal=group:b"
    answer = put_file(client, "reports/7.pdf", content, "application/pdf", query)
    assert answer.status_code == 201, answer.text
    assert answer.json()["content_hash"] == hashlib.sha256(content).hexdigest()
    assert read_all(source) == {
        "reports/7.pdf": FetchedDocument(
            document_id="reports/7.pdf",
            content=content,
            name="7.pdf",
            metadata={"year": 1958},
            principals=("group:b", "user:a"),
        )
    }
    again = put_file(client, "reports/7.pdf", content, "application/pdf", query)
    assert again.json()["status"] == "unchanged"


@pytest.mark.parametrize(
    ("document_id", "content_type", "query", "name"),
    [
        ("notes/7", "text/markdown; charset=utf-8", "", "7.md"),
        ("notes/7.txt", "text/markdown", "", "7.txt"),
        ("notes/", "text/html", "", "notes.html"),
        ("notes/7", "application/octet-stream", "", "7"),
        ("notes/7", "application/octet-stream", "?name=Plan%20B.docx", "Plan B.docx"),
    ],
)
def test_file_type_is_detected_by_its_name(
    client: httpx2.Client,
    source: PushSource,
    document_id: str,
    content_type: str,
    query: str,
    name: str,
) -> None:
    put_file(client, document_id, b"x", content_type, query)
    assert read_all(source)[document_id].name == name


def test_text_and_file_with_the_same_bytes_differ(client: httpx2.Client) -> None:
    put(client, "a", text="t")
    assert put_file(client, "a", b"t", "text/plain").json()["status"] == "updated"


def test_text_that_postgres_cannot_store_is_cleaned(
    client: httpx2.Client, source: PushSource
) -> None:
    assert put(client, "a", text="a\0b", title="\0", metadata={"\0": "\0"}).status_code == 201
    document = read_all(source)["a"]
    assert (document.text, document.title) == ("a\ufffdb", "\ufffd")
    assert document.metadata == {"\ufffd": "\ufffd"}


def test_source_lists_exactly_what_was_put(client: httpx2.Client, source: PushSource) -> None:
    versions = {
        name: put(client, name, text=f"text of {name}").json()["version"]
        for name in ("b", "a", "c")
    }
    client.delete(path_of("c"))
    listed = list(source.list_documents())
    assert [(found.document_id, found.version) for found in listed] == [
        ("a", str(versions["a"])),
        ("b", str(versions["b"])),
    ]
    assert [found.size_bytes for found in listed] == [9, 9]
    assert {name: found.text for name, found in read_all(source).items()} == {
        "a": "text of a",
        "b": "text of b",
    }


def test_unknown_collection_lists_the_known_ones(client: httpx2.Client) -> None:
    answer = client.put(path_of("a", "nothing"), json={"text": "t"})
    assert "pushed" in check_problem(answer, 404, "unknown-collection")["detail"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_collection_without_a_push_source_names_the_missing_setting(
    client: httpx2.Client, method: str
) -> None:
    path = path_of("a", "handbook")
    path = path.replace("/a", ":bulk") if method == "POST" else path
    problem = check_problem(client.request(method, path, json={}), 409, "no-push-source")
    assert "{name: handbook-pushed, collection: handbook, kind: push}" in problem["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": 7}, "text"),
        ({"text": " \n"}, "text"),
        ({"text": "t", "titel": "x"}, "titel"),
        ({"text": "t", "title": "x" * 2_001}, "title"),
        ({"text": "t", "metadata": []}, "metadata"),
        ({"text": "t", "metadata": {"a": "x" * 65_536}}, "metadata"),
        ({"text": "t", "principals": "x"}, "principals"),
        ({"text": "t", "principals": ["a", ""]}, "principals.1"),
        ({"text": "t", "principals": ["a\0"]}, "principals.0"),
        ([], "body"),
        ("text", "body"),
    ],
)
def test_bad_field_is_named(
    client: httpx2.Client, source: PushSource, body: object, field: str
) -> None:
    answer = client.put(path_of("a"), json=body)
    problem = check_problem(answer, 422, "invalid-request")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert list(source.list_documents()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"text": "t", "metadata": {"a": NaN}}',
        b'{"text": "t", "metadata": {"a": 1e999}}',
        b'{"text": "t", "metadata": {"a": ' + b"9" * 5_000 + b"}}",
        b'{"text": "t", "metadata": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}",
        b'{"text": "a\\ud800"}',
    ],
    ids=lambda content: repr(content[:40]),
)
def test_malformed_json_is_refused(client: httpx2.Client, content: bytes) -> None:
    check_problem(put_file(client, "a", content, "application/json"), 422, "invalid-request")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?metadata={", "metadata"),
        ("?metadata=[1]", "metadata"),
        ("?metadata=" + quote('{"a": NaN}'), "metadata"),
        ("?principal=", "principal.0"),
        ("?name=", "name"),
        ("?nam=x", "nam"),
    ],
)
def test_bad_parameter_is_named(client: httpx2.Client, query: str, field: str) -> None:
    answer = put_file(client, "a", b"x", "text/plain", query)
    problem = check_problem(answer, 422, "invalid-request")
    assert [error["field"] for error in problem["errors"]] == [field]


def test_parameters_with_a_json_body_are_refused(client: httpx2.Client) -> None:
    answer = client.put(path_of("a") + "?principal=x", json={"text": "t"})
    check_problem(answer, 422, "invalid-request")


@pytest.mark.parametrize(
    "content_type", ["", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_form_is_refused_and_not_stored_as_a_file(client: httpx2.Client, content_type: str) -> None:
    answer = put_file(client, "a", b'{"text": "t"}', content_type)
    problem = check_problem(answer, 415, "unsupported-media-type")
    assert "application/json" in problem["detail"]


def test_empty_file_is_refused(client: httpx2.Client) -> None:
    check_problem(put_file(client, "a", b"", "text/plain"), 422, "invalid-request")


def test_document_may_be_as_large_as_its_source_allows(
    client: httpx2.Client, source: PushSource
) -> None:
    assert put_file(client, "file", b"x" * LIMIT_BYTES, "text/plain").status_code == 201
    assert put(client, "text", text="x" * LIMIT_BYTES).status_code == 201
    assert {name: len(found.content) for name, found in read_all(source).items()} == {
        "file": LIMIT_BYTES,
        "text": LIMIT_BYTES,
    }


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, LIMIT_BYTES * 3])
@pytest.mark.parametrize("is_declared", [True, False])
def test_larger_document_is_refused(
    client: httpx2.Client, source: PushSource, size: int, is_declared: bool
) -> None:
    body = b"x" * size
    content = body if is_declared else (body[i : i + 65_536] for i in range(0, size, 65_536))
    headers = {"Content-Type": "text/plain"}
    answer = client.put(path_of("a"), content=content, headers=headers)
    check_problem(answer, 413, "body-too-large")
    assert list(source.list_documents()) == []


def test_other_routes_keep_their_limit(client: httpx2.Client) -> None:
    body = {"collection": "pushed", "query": "x" * 2_000_000}
    check_problem(client.post("/v1/search", json=body), 413, "body-too-large")
    # The limit does not reveal which collections accept documents.
    for collection, status, name in (
        ("handbook", 409, "no-push-source"),
        ("nowhere", 404, "unknown-collection"),
    ):
        answer = client.put(path_of("a", collection), json={"text": "x" * 2_000_000})
        check_problem(answer, status, name)


def test_wrong_method_receives_all_allowed_methods(client: httpx2.Client) -> None:
    answer = client.post(path_of("a"))
    check_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "DELETE, GET, PUT"


@pytest.fixture(scope="module")
def naughty_ids(naughty_strings: list[str]) -> list[str]:
    """Also ids that look like parts of a URL, ids of maximum length, and one that is refused."""
    odd = [
        "a\n",
        "\n",
        "a\nb",
        ".",
        "..",
        "/",
        "//a",
        "a/",
        "a?b#c",
        "%2F",
        "%",
        "a:bulk",
        "\ufffd",
    ]
    return list(
        dict.fromkeys([*naughty_strings, *odd, "\ufeff", "\u202e", "x" * 2_000, "é" * 1_000])
    )


def test_any_text_is_an_id_and_reads_back_equal(
    client: httpx2.Client, source: PushSource, naughty_ids: list[str]
) -> None:
    kept = {}
    # The client changes the path of these two before it sends the request.
    for document_id in set(naughty_ids) - {".", ".."}:
        answer = put(client, document_id, text=f"text of {document_id}")
        if document_id and "\0" not in document_id:
            assert answer.status_code == 201, (document_id, answer.text)
            assert answer.json()["document_id"] == document_id
            kept[document_id] = f"text of {document_id}"
        else:
            check_problem(answer, 422, "invalid-request")
    assert {name: found.text for name, found in read_all(source).items()} == kept
    for document_id in kept:
        assert client.delete(path_of(document_id)).json()["status"] == "deleted"
    assert list(source.list_documents()) == []


def test_any_text_is_a_text_title_and_metadata_and_reads_back_equal(
    client: httpx2.Client, source: PushSource, naughty_ids: list[str]
) -> None:
    for number, text in enumerate(naughty_ids):
        body = {"text": text, "title": text, "metadata": {text: text}}
        answer = put(client, str(number), **body)
        if text.strip():
            assert answer.status_code == 201, (text, answer.text)
            document = read_all(source)[str(number)]
            assert (document.text, document.title) == (text, text)
            assert document.metadata == {text: text}
            client.delete(path_of(str(number)))
        else:
            check_problem(answer, 422, "invalid-request")


@pytest.mark.parametrize("path", ["%00", "a%00b", "%FF", "a%C3", "", "x" * 2_001])
def test_id_that_cannot_be_stored_is_refused(client: httpx2.Client, path: str) -> None:
    url = f"/v1/collections/pushed/documents/{path}"
    for answer in (client.put(url, json={"text": "t"}), client.delete(url)):
        problem = check_problem(answer, 422, "invalid-request")
        assert [error["field"] for error in problem["errors"]] == ["document_id"]


def test_random_id_of_maximum_length_fits_into_the_index(client: httpx2.Client) -> None:
    letters = random.Random(1).choices(string.ascii_letters + string.digits, k=2_000)  # noqa: S311
    assert put(client, "".join(letters), text="t").status_code == 201


def bulk(client: httpx2.Client, *operations: dict[str, Any]) -> httpx2.Response:
    path = "/v1/collections/pushed/documents:bulk"
    return client.post(path, json={"operations": operations})


def test_bulk_answers_each_operation_in_its_order(
    client: httpx2.Client, source: PushSource
) -> None:
    put(client, "same", text="t")
    put(client, "other", text="t")
    put(client, "gone", text="t")
    answer = bulk(
        client,
        {"op": "put", "document_id": "new", "text": "t", "title": "T", "metadata": {"a": 1}},
        {"op": "put", "document_id": "same", "text": "t"},
        {"op": "put", "document_id": "other", "text": "u", "principals": ["p"]},
        {"op": "delete", "document_id": "gone"},
        {"op": "delete", "document_id": "never"},
        {"op": "put", "document_id": "twice", "text": "1"},
        {"op": "put", "document_id": "twice", "text": "2"},
        {"op": "delete", "document_id": "new"},
        {"op": "delete", "document_id": "new"},
    )
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert result["collection"] == "pushed"
    assert (result["visible_within_seconds"], result["forgotten_within_seconds"]) == (60, 120)
    assert [(r["document_id"], r["status"]) for r in result["results"]] == [
        ("new", "created"),
        ("same", "unchanged"),
        ("other", "updated"),
        ("gone", "deleted"),
        ("never", "unknown"),
        ("twice", "created"),
        ("twice", "updated"),
        ("new", "deleted"),
        ("new", "unchanged"),
    ]
    texts = {name: found.text for name, found in read_all(source).items()}
    assert texts == {"other": "u", "same": "t", "twice": "2"}


def test_id_that_a_url_cannot_contain_can_be_put_in_bulk(
    client: httpx2.Client, source: PushSource
) -> None:
    ids = [".", "..", "../a"]
    answer = bulk(client, *({"op": "put", "document_id": name, "text": "t"} for name in ids))
    assert answer.status_code == 200, answer.text
    assert [listed.document_id for listed in source.list_documents()] == ids


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        ({"op": "put", "document_id": "b"}, "operations.1.put.text"),
        ({"op": "put", "document_id": "", "text": "t"}, "operations.1.put.document_id"),
        (
            {"op": "put", "document_id": "b", "text": "x" * (LIMIT_BYTES + 1)},
            "operations.1.text",
        ),
        ({"op": "delete", "document_id": "b", "text": "t"}, "operations.1.delete.text"),
        ({"op": "upsert", "document_id": "b"}, "operations.1"),
        ({"document_id": "b"}, "operations.1"),
        (7, "operations.1"),
    ],
)
def test_bulk_with_a_bad_operation_names_it_and_writes_nothing(
    client: httpx2.Client, source: PushSource, operation: Any, field: str
) -> None:
    answer = bulk(client, {"op": "put", "document_id": "a", "text": "t"}, operation)
    problem = check_problem(answer, 422, "invalid-request")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert list(source.list_documents()) == []


def test_bulk_accepts_at_most_a_thousand_operations(
    client: httpx2.Client, source: PushSource
) -> None:
    puts = [{"op": "put", "document_id": f"{n:04}", "text": "t"} for n in range(1_001)]
    check_problem(bulk(client, *puts), 422, "invalid-request")
    check_problem(bulk(client), 422, "invalid-request")
    assert list(source.list_documents()) == []
    assert bulk(client, *puts[:-1]).status_code == 200
    assert len(list(source.list_documents())) == 1_000


def test_concurrent_callers_get_different_versions(
    client: httpx2.Client, source: PushSource
) -> None:
    def push(number: int) -> list[int]:
        ids = [f"{number % 5}", f"{(number + 1) % 5}", f"only-{number}"]
        random.Random(number).shuffle(ids)  # noqa: S311
        puts = [{"op": "put", "document_id": name, "text": f"by {number}"} for name in ids]
        answer = bulk(client, *puts)
        assert answer.status_code == 200, answer.text
        return [result["version"] for result in answer.json()["results"]]

    with ThreadPoolExecutor(16) as callers:
        versions = [version for pushed in callers.map(push, range(40)) for version in pushed]
    assert len(set(versions)) == len(versions) == 120
    assert len(list(source.list_documents())) == 45


def test_disconnect_while_sending_is_not_a_failure(
    pushable: RunningService,
    client: httpx2.Client,
    source: PushSource,
    caplog: pytest.LogCaptureFixture,
) -> None:
    address = ("127.0.0.1", int(pushable.url.rpartition(":")[2]))
    head = f"PUT {path_of('a')} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
    with socket.create_connection(address) as connection:
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\nhalf".encode())
    assert put(client, "b", text="t").status_code == 201
    assert [listed.document_id for listed in source.list_documents()] == ["b"]
    assert "request failed" not in caplog.text
