"""Strings and numbers that often break programs, in every field of a request.

Queries, names of collections, and ids and texts of pushed documents have such tests in their own
modules. This module tests all other fields. Each field gets a part of the strings, and with
RAGLINE_SOAK all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from urllib.parse import quote

import httpx2
import pytest
from documented_operations import list_operations_with_input, match_operations
from repetition_counts import choose_count
from running_service import RunningService

from retrieval_api.problems import MEDIA_TYPE

OWN = ["\0", "a\0b", "\ud800", "a\udfffb", "\ufeff", "\u202e", "x" * 5_000, "\x7f", "1e999", "."]
JSON = {"Content-Type": "application/json"}
MCP = {**JSON, "Accept": "application/json, text/event-stream"}
DOCUMENTS = "/v1/collections/pushed/documents"
HANDBOOK = "/v1/collections/handbook"
STORE = "/v1/vector_stores/handbook/search"
# A client sends none of these in a header.
UNSENDABLE = frozenset(map(chr, [*range(32), 0x7F, 0xD800, 0xDFFF]))

STEP = choose_count(24, 1)

Send = Callable[[httpx2.Client, str], httpx2.Response]


@pytest.fixture
def client(pushable: RunningService) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=pushable.url, timeout=30) as client:
        yield client


def check_answer(answer: httpx2.Response, received: object) -> None:
    """The response is a success or a refusal, in JSON of its documented type."""
    is_good = 200 <= answer.status_code < 300
    is_mcp = answer.request.url.path == "/mcp"
    # MCP refuses with 400, the service with 422.
    refusals = {400} if is_mcp else {404, 409, 415, 422}
    assert is_good or answer.status_code in refusals, (received, answer.text)
    expected = "application/json" if is_good or is_mcp else MEDIA_TYPE
    assert answer.headers["content-type"] == expected, received
    answer.json()


def pick(strings: list[str], place: int) -> list[str]:
    """The strings for a field, by its number."""
    return [*strings[place % STEP :: STEP], *OWN]


def post(path: str, make_body: Callable[[str], object]) -> Send:
    """A JSON body with a string. It is escaped, because a lone surrogate has no UTF-8 encoding."""

    def send(client: httpx2.Client, string: str) -> httpx2.Response:
        return client.post(path, content=json.dumps(make_body(string)), headers=MCP)

    return send


def search(**options: Callable[[str], object]) -> Send:
    """A search without the vector leg, with options that contain a string."""
    asked = {"collection": "handbook", "query": "lunch", "mode": "keyword"}
    return post(
        "/v1/search", lambda string: asked | {name: make(string) for name, make in options.items()}
    )


def get(template: str) -> Send:
    """A GET with a string in its path or query string."""

    def send(client: httpx2.Client, string: str) -> httpx2.Response:
        return client.get(template.replace("*", quote(string, safe="", errors="surrogatepass")))

    return send


def call(name: str | None, make_arguments: Callable[[str], object]) -> Send:
    """A call of a tool over MCP. With None, the string is the tool's name."""
    return post(
        "/mcp",
        lambda string: {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": name or string, "arguments": make_arguments(string)},
        },
    )


def compare(key: str | None, value: str | None) -> Callable[[str], object]:
    """A comparison in OpenAI's format. The string replaces the part that is None."""
    return lambda string: {"type": "eq", "key": key or string, "value": value or string}


PLACES: dict[str, Send] = {
    "field": post("/v1/search", lambda string: {"collection": "handbook", "query": "x", string: 1}),
    "filter's value": search(filter=lambda string: {"metadata.topic": {"in": [string]}}),
    "filter's prefix": search(filter=lambda string: {"title": {"prefix": string}}),
    "filter's time": search(filter=lambda string: {"indexed_at": {"gt": string}}),
    "filter's key": search(filter=lambda string: {string: 1}),
    "filter's path": search(filter=lambda string: {f"metadata.{string}": {"ne": 1}}),
    "filter's operator": search(filter=lambda string: {"title": {string: 1}}),
    "principal": search(principals=lambda string: [string]),
    "mode": search(mode=str),
    "alternative": search(query=lambda string: ["lunch", string]),
    "explained document": post(
        "/v1/search/explain",
        lambda string: {"collection": "handbook", "query": "lunch", "document_id": string},
    ),
    "explained document's source": post(
        "/v1/search/explain",
        lambda string: {
            "collection": "handbook",
            "query": string,
            "document_id": "leave",
            "source": string,
        },
    ),
    "explained filter": post(
        "/v1/search/explain",
        lambda string: {
            "collection": "handbook",
            "query": "lunch",
            "document_id": "leave",
            "filter": {f"metadata.{string}": string, "and": [{"title": {"prefix": string}}]},
        },
    ),
    "collection": get("/v1/collections/*"),
    "collection's freshness": get("/v1/collections/*/freshness"),
    "collection's documents": get("/v1/collections/*/documents"),
    "generations' collection": get("/v1/collections/*/generations"),
    "reports' collection": get("/v1/collections/*/gate-reports"),
    "report": get(f"{HANDBOOK}/gate-reports/*"),
    "approval": post(
        f"{HANDBOOK}/generations/999/approve",
        lambda string: {"reason": string, "by": string, "report_id": 1},
    ),
    "promotion": post(
        f"{HANDBOOK}/generations/999/promote", lambda string: {"reason": string, "by": string}
    ),
    "refusal": post(
        f"{HANDBOOK}/generations/999/refuse", lambda string: {"reason": string, "by": string}
    ),
    "rollback": post(f"{HANDBOOK}/rollback", lambda string: {"reason": string, "by": string}),
    "proposals' collection": get("/v1/collections/*/golden-proposals"),
    "proposals' kind": get(f"{HANDBOOK}/golden-proposals?kind=*"),
    "proposals' days": get(f"{HANDBOOK}/golden-proposals?days=*"),
    "proposal": lambda client, string: client.post(
        f"{HANDBOOK}/golden-proposals/q-{quote(string, safe='', errors='surrogatepass')}",
        json={"answer": "reject"},
    ),
    "graded document": post(
        f"{HANDBOOK}/golden-proposals/q-1",
        lambda string: {
            "answer": "accept",
            "documents": [{"document_id": string, "source": string, "grade": 1}],
        },
    ),
    "answer to a proposal": post(
        f"{HANDBOOK}/golden-proposals/q-1", lambda string: {"answer": string}
    ),
    "generation": get(f"{HANDBOOK}/generations/*/card"),
    "generation's collection": get("/v1/collections/*/generations/1/card"),
    "store": get("/v1/vector_stores/*"),
    "store's page": get("/v1/vector_stores?after=*"),
    "receipt": get("/v1/receipts/*"),
    "receipt's second part": get("/v1/receipts/1-*"),
    "receipt's principal": get("/v1/receipts/1-1?principal=*"),
    "cursor": get(f"{HANDBOOK}/documents?after=*"),
    "source and principal": get(f"{HANDBOOK}/documents?source=*&principal=*"),
    "document": get(f"{HANDBOOK}/documents/*"),
    "document's source": get(f"{HANDBOOK}/documents/leave?source=*"),
    "quality's collection": get("/v1/quality?collection=*"),
    "quality's day": get("/v1/quality?from=*"),
    "feedback's search": post(
        "/v1/feedback", lambda string: {"request_id": string, "document_id": string, "useful": True}
    ),
    "feedback's kind": post(
        "/v1/feedback", lambda string: {"request_id": "1", "document_id": "1", "kind": string}
    ),
    "store's filter key": post(
        STORE, lambda string: {"query": "x", "filters": compare(None, "x")(string)}
    ),
    "store's filter value": post(
        STORE, lambda string: {"query": "x", "filters": compare("topic", None)(string)}
    ),
    "store's ranker": post(
        STORE, lambda string: {"query": "x", "ranking_options": {"ranker": string}}
    ),
    "embedding's model": post("/v1/embeddings", lambda string: {"input": "x", "model": string}),
    "embedding's text": post("/v1/embeddings", lambda string: {"input": [string]}),
    "reranked texts": post("/v2/rerank", lambda string: {"query": "x", "documents": [string]}),
    "reranker's model": post(
        "/v1/rerank", lambda string: {"query": "x", "documents": [], "model": string}
    ),
    "pushed operation": post(
        f"{DOCUMENTS}:bulk",
        lambda string: {
            "operations": [
                {
                    "op": "put",
                    "document_id": string,
                    "text": "t",
                    "metadata": {string: [{string: string}]},
                    "principals": [string],
                }
            ]
        },
    ),
    "tool": call(None, lambda _: {}),
    "tool's argument": call("freshness", lambda string: {string: string}),
    "tool's collection": call("freshness", lambda string: {"collection": string}),
    "tool's query": call("search", lambda string: {"collection": "handbook", "query": string}),
    "tool's filter": call(
        "search",
        lambda string: {
            "collection": "handbook",
            "query": "x",
            "filter": {f"metadata.{string}": string},
        },
    ),
    "tool's document": call(
        "get_document",
        lambda string: {"collection": "handbook", "document_id": string, "source": string},
    ),
}


DOCUMENT = "/v1/collections/{collection}/documents/{document_id}"
# Other modules send strings to these operations: test_service_pushing, and below for files.
PUSHES = {("PUT", DOCUMENT), ("DELETE", DOCUMENT)}


def test_every_operation_has_a_place(client: httpx2.Client) -> None:
    requests: list[httpx2.Request] = []

    def record(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        return httpx2.Response(200)

    with httpx2.Client(
        transport=httpx2.MockTransport(record), base_url="http://localhost"
    ) as recorder:
        for send in PLACES.values():
            send(recorder, "x")
    operations = list_operations_with_input(client.get("/openapi.json").json())
    assert operations - match_operations(operations, requests) == PUSHES


@pytest.mark.parametrize("place", PLACES)
def test_no_string_causes_a_failure(
    client: httpx2.Client, naughty_strings: list[str], place: str
) -> None:
    for string in pick(naughty_strings, list(PLACES).index(place)):
        check_answer(PLACES[place](client, string), string)


@pytest.mark.parametrize("parameter", ["name", "metadata", "principal"])
def test_no_parameter_of_a_file_makes_the_service_fail(
    client: httpx2.Client, naughty_strings: list[str], parameter: str
) -> None:
    headers = {"Content-Type": "text/plain"}
    for string in pick(naughty_strings, len(parameter)):
        query = f"{parameter}={quote(string, safe='', errors='surrogatepass')}"
        check_answer(
            client.put(f"{DOCUMENTS}/file?{query}", content=b"text", headers=headers), string
        )


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "X-API-Key", "X-Client-ID", "traceparent", "tracestate", "baggage",
        "Content-Type", "Accept", "User-Agent",
    ],
)  # fmt: skip
def test_no_header_makes_the_service_fail(
    client: httpx2.Client, naughty_strings: list[str], name: str
) -> None:
    body = json.dumps({"collection": "handbook", "query": "lunch", "mode": "keyword"})
    for string in pick(naughty_strings, len(name)):
        if UNSENDABLE & set(string):
            continue
        for value in (string, f"Bearer {string}") if name == "Authorization" else (string,):
            headers = [("Content-Type", "application/json")] * (name != "Content-Type")
            headers += [(name, value.strip().encode())]
            check_answer(client.post("/v1/search", content=body, headers=headers), string)


NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "9" * 400, "9" * 5_000,
           "-0", "-0.0", "0.1e1", "9223372036854775808", "1.7976931348623157e308"]  # fmt: skip
NUMBERED = {
    "top_k": ("/v1/search", '{"collection": "handbook", "query": "x", "top_k": *}'),
    "max_age": ("/v1/search", '{"collection": "handbook", "query": "x", "max_age": *}'),
    "min_generation": (
        "/v1/search",
        '{"collection": "handbook", "query": "x", "min_generation": *}',
    ),
    "min_confidence": (
        "/v1/search",
        '{"collection": "handbook", "query": "x", "min_confidence": *}',
    ),
    "page": ("/v1/search", '{"collection": "handbook", "query": "x", "filter": {"page": *}}'),
    "order": (
        "/v1/search",
        '{"collection": "handbook", "query": "x", "filter": {"metadata.n": {"gt": *}}}',
    ),
    "list": (
        "/v1/search",
        '{"collection": "handbook", "query": "x", "filter": {"metadata.n": {"in": [*]}}}',
    ),
    "attribute": (STORE, '{"query": "x", "filters": {"type": "gte", "key": "n", "value": *}}'),
    "threshold": (STORE, '{"query": "x", "ranking_options": {"score_threshold": *}}'),
    "top_n": ("/v1/rerank", '{"query": "x", "documents": ["y"], "top_n": *}'),
    "priority": ("/v1/rerank", '{"query": "x", "documents": ["y"], "priority": *}'),
    "dimensions": ("/v1/embeddings", '{"input": "x", "dimensions": *}'),
    "report": (f"{HANDBOOK}/generations/999/approve", '{"reason": "x", "report_id": *}'),
    "entry": ("/v1/feedback", '{"request_id": "1", "entry_id": *, "useful": true}'),
    "grade": (
        f"{HANDBOOK}/golden-proposals/q-1",
        '{"answer": "accept", "documents": [{"document_id": "leave", "grade": *}]}',
    ),
    "metadata": (
        f"{DOCUMENTS}:bulk",
        '{"operations": [{"op": "put", "document_id": "n", "text": "t", "metadata": {"n": *}}]}',
    ),
    "tool": (
        "/mcp",
        json.dumps(
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {
                    "name": "search",
                    "arguments": {"collection": "handbook", "query": "x", "filter": {"page": "*"}},
                },
            }
        ).replace('"*"', "*"),
    ),
}


@pytest.mark.parametrize("place", NUMBERED)
def test_no_number_makes_the_service_fail(client: httpx2.Client, place: str) -> None:
    path, body = NUMBERED[place]
    for number in NUMBERS:
        answer = client.post(path, content=body.replace("*", number), headers=MCP)
        check_answer(answer, number)
