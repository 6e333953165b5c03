"""The tools over MCP, called by the mcp package's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from mcp import ClientSession
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, InitializeResult, Tool
from running_service import RunningService
from sqlalchemy import text

from ragline.search.searcher import Searcher

Call = Callable[..., CallToolResult]

ASKED = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "freshness", "arguments": {"collection": "handbook"}},
}
ACCEPTED = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def call(running: RunningService) -> Call:
    """Call a tool in a new session."""

    async def call_once(name: str, arguments: dict[str, Any]) -> CallToolResult:
        async with (
            streamable_http_client(f"{running.url}/mcp") as (reading, writing),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            return await session.call_tool(name, arguments)

    return lambda name, **arguments: asyncio.run(call_once(name, arguments))


def words(result: CallToolResult) -> str:
    """The message of a failed tool."""
    assert result.is_error
    assert result.structured_content is None
    (content,) = result.content
    assert content.type == "text"
    return content.text


def structured(result: CallToolResult) -> dict[str, Any]:
    """The result of a tool, which is also in its text."""
    assert not result.is_error, result
    (content,) = result.content
    assert content.type == "text"
    given: dict[str, Any] = result.structured_content
    assert json.loads(content.text) == given
    return given


def test_session_lists_the_tools(running: RunningService) -> None:
    async def ask() -> tuple[InitializeResult, list[Tool]]:
        async with (
            streamable_http_client(f"{running.url}/mcp") as (reading, writing),
            ClientSession(reading, writing) as session,
        ):
            started = await session.initialize()
            return started, (await session.list_tools()).tools

    started, tools = asyncio.run(ask())
    assert started.server_info.name == "ragline"
    assert "Cite document_id and source" in (started.instructions or "")
    assert [tool.name for tool in tools] == ["search", "get_document", "freshness"]
    for tool in tools:
        assert tool.description
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema
        assert tool.annotations
        assert tool.annotations.read_only_hint


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_client_of_either_protocol_is_answered(running: RunningService, mode: str) -> None:
    async def ask() -> CallToolResult:
        async with Client(f"{running.url}/mcp", mode=mode) as client:
            return await client.call_tool("search", {"collection": "handbook", "query": "lunch"})

    assert structured(asyncio.run(ask()))["passages"][0]["document_id"] == "canteen"


def test_search_finds_passages(call: Call) -> None:
    found = structured(call("search", collection="handbook", query="forgotten password", top_k=2))
    assert found.keys() == {
        "request_id", "collection", "generation", "passages", "is_abstained", "confidence_note",
    }  # fmt: skip
    best, second = found["passages"]
    assert best.keys() == {
        "rank", "score", "document_id", "source", "title", "heading_path", "page", "text",
        "metadata", "age_seconds", "confidence",
    }  # fmt: skip
    assert (best["rank"], best["document_id"], best["title"]) == (1, "password", "Passwords")
    assert best["metadata"] == {"topic": "password"}
    assert best["score"] >= second["score"]


def test_search_is_recorded_and_accepts_feedback(
    call: Call, running: RunningService, client: httpx2.Client
) -> None:
    found = structured(call("search", collection="handbook", query="train tickets"))
    body = {"request_id": found["request_id"], "document_id": "travel", "useful": True}
    assert client.post("/v1/feedback", json=body).status_code == 200
    select = text("select query, top_k from ragline.search_requests where id = :id")
    with running.service.database.connect() as connection:
        rows = list(connection.execute(select, {"id": found["request_id"]}))
    assert rows == [("train tickets", 5)]


def test_filter_limits_the_results(call: Call) -> None:
    condition = {"metadata.topic": {"in": ["fire", "sick"]}}
    result = call("search", collection="handbook", query="lunch", filter=condition)
    found = {passage["document_id"] for passage in structured(result)["passages"]}
    assert found == {"fire", "sick"}


def test_document_is_read_as_text(call: Call) -> None:
    read = structured(call("get_document", collection="handbook", document_id="leave"))
    assert read["text"] == "Every parent may take twelve weeks of paid parental leave."
    assert (read["title"], read["source"]) == ("Parental leave", "handbook-articles")
    assert read["metadata"] == {"topic": "leave"}
    assert (read["first_chunk"], read["next_chunk"], read["chunk_count"]) == (0, None, 1)


def test_document_with_principals_is_unknown(call: Call, running: RunningService) -> None:
    generation = structured(call("search", collection="handbook", query="x"))["generation"]
    update = (
        f"update ragline.entries_{generation} set principals = {{}} where document_id = 'leave'"
    )
    with running.service.database.begin() as connection:
        connection.execute(text(update.format("array['group:staff']")))
    try:
        result = call("get_document", collection="handbook", document_id="leave")
        found = structured(call("search", collection="handbook", query="parental leave"))
    finally:
        with running.service.database.begin() as connection:
            connection.execute(text(update.format("null")))
    assert "no document 'leave' is served" in words(result)
    assert "leave" not in {passage["document_id"] for passage in found["passages"]}


def test_freshness_is_returned(call: Call, client: httpx2.Client) -> None:
    received = structured(call("freshness", collection="handbook"))
    assert received["is_fresh"] is True
    assert received.keys() == client.get("/v1/collections/handbook/freshness").json().keys()


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("search", {"collection": "handbok", "query": "x"}, "known: handbook, unsynced"),
        ("search", {"collection": "unsynced", "query": "x"}, "run `ragline sync` first"),
        ("search", {"collection": "handbook", "query": " "}, "query: must contain something"),
        ("search", {"collection": "handbook", "query": "x", "top_k": 51}, "top_k: Input"),
        (
            "search",
            {"collection": "handbook", "query": "x", "top": 5},
            "top: unknown field; did you mean top_k?",
        ),
        ("search", {"collection": "handbook"}, "query: Field required"),
        ("get_document", {"collection": "handbook", "document_id": "no"}, "no document 'no'"),
        (
            "get_document",
            {"collection": "handbook", "document_id": "leave", "source": "other"},
            "no document 'leave' is served",
        ),
        (
            "get_document",
            {"collection": "handbook", "document_id": "leave", "first_chunk": 1},
            "has 1 chunks; first_chunk is 1",
        ),
        ("freshness", {"collection": "no"}, "The collection does not exist"),
        ("delete", {}, "unknown tool 'delete'"),
    ],
)
def test_failure_is_an_error_of_the_tool_with_the_text_of_the_problem(
    call: Call, name: str, arguments: dict[str, Any], expected: str
) -> None:
    assert expected in words(call(name, **arguments))


def test_bug_is_an_error_without_secrets(
    call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(Searcher, "search", fail)
    message = words(call("search", collection="handbook", query="x"))
    assert "secret" not in message
    assert "request_id" in message
    assert "secret of the house" in caplog.text


def test_call_needs_no_session(client: httpx2.Client) -> None:
    answer = client.post("/mcp", json=ASKED, headers=ACCEPTED)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert "mcp-session-id" not in answer.headers
    assert answer.headers["x-request-id"]
    assert answer.json()["result"]["structuredContent"]["is_fresh"] is True


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost", "[::1]:80", "search.example"])
def test_any_host_is_answered(client: httpx2.Client, host: str) -> None:
    answer = client.post("/mcp", json=ASKED, headers={**ACCEPTED, "Host": host})
    assert answer.status_code == 200


@pytest.mark.parametrize("origin", ["http://localhost:6274", "http://127.0.0.1", "http://[::1]:3"])
def test_page_of_this_machine_is_answered(client: httpx2.Client, origin: str) -> None:
    answer = client.post("/mcp", json=ASKED, headers={**ACCEPTED, "Origin": origin})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost.evil.example", "http://[", ""]
)
def test_page_of_another_host_is_refused(client: httpx2.Client, origin: str) -> None:
    headers = {**ACCEPTED, "Origin": origin, "Host": "evil.example"}
    answer = client.post("/mcp", json=ASKED, headers=headers)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_there_is_no_session_to_listen_to_or_to_end(client: httpx2.Client, method: str) -> None:
    answer = client.request(method, "/mcp", headers=ACCEPTED)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_large_call_is_refused(client: httpx2.Client) -> None:
    asked = {**ASKED, "padding": "x" * 2_000_000}
    assert client.post("/mcp", json=asked, headers=ACCEPTED).status_code == 413
