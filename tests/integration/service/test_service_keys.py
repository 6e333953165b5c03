"""Keys and tenants over loopback: the scopes of keys, and the separation of tenants.

Every endpoint is tried with another tenant's names and ids, with both walls and with each one
alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import current_thread
from typing import Any

import httpx2
import pytest
from database_copies import DatabaseServer
from documented_operations import list_operations_with_input, match_operations
from repetition_counts import choose_count
from running_service import run_service, wait_until
from sqlalchemy import Engine, event, text

from ragline.access.keys import create_key, list_keys, revoke_key
from ragline.configuration import Configuration, load_configuration
from ragline.embedder.embedder import Embedder
from ragline.golden_set.content import make_query_id
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.embeddings import embed_chunks
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.search_index import publish_index
from ragline.storage.database import Database, TenantDatabase, connect_database
from retrieval_api.access.callers import Caller

TENANTS = 20
# A share of what RAGLINE_SOAK asks.
SEARCHES = choose_count(100, 10_000)
# All tenants have the same words, so that only access control separates them.
TEXTS = ("the secret plan of {}", "how the harbour of {} is defended", "salaries at {}")


@dataclass
class Walled:
    """A service with the collections of many tenants, one key for each, and its database."""

    url: str
    database: Database
    keys: dict[str, str]

    def ask(self, tenant: str, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.keys[tenant]}"} | options.pop("headers", {})
        return httpx2.request(method, self.url + path, headers=headers, timeout=30, **options)

    def search(self, tenant: str, collection: str, **options: Any) -> httpx2.Response:
        body = {"collection": collection, "query": QUERY, "top_k": 50, **options}
        return self.ask(tenant, "POST", "/v1/search", json=body)


QUERY = "secret plan harbour"
PUSHED = "select * from ragline.pushed_documents where source = 'pushed-tenant02' order by 2"


def name_tenant(number: int) -> str:
    return f"tenant{number:02}"


@pytest.fixture(scope="module")
def walled(
    database_server: DatabaseServer,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
    model_cache: Path,
    embedder: Embedder,
) -> Iterator[Walled]:
    folder = tmp_path_factory.mktemp("tenants")
    (folder / "home").mkdir()
    (folder / "home" / "models").symlink_to(model_cache)
    lines: dict[str, list[str]] = {"collections": [], "sources": []}
    for number in range(TENANTS):
        tenant = name_tenant(number)
        rows = [
            json.dumps({"_id": f"doc{i}", "text": words.format(tenant), "owner": tenant})
            for i, words in enumerate(TEXTS)
        ]
        (folder / f"{tenant}.jsonl").write_text("\n".join(rows), "utf-8")
        lines["collections"].append(f"  - {{name: of-{tenant}, tenant: {tenant}}}")
        lines["sources"] += [
            f"  - {{name: {tenant}, collection: of-{tenant}, kind: records, uri: {tenant}.jsonl}}",
            f"  - {{name: pushed-{tenant}, collection: of-{tenant}, kind: push}}",
        ]
    path = folder / "ragline.yaml"
    path.write_text("\n".join(f"{k}:\n" + "\n".join(v) for k, v in lines.items()), "utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAGLINE_HOME", str(folder / "home"))
        environment.setenv("RAGLINE_DATABASE_URL", database_server.create(template))
        configuration = load_configuration(path)
    assert configuration.database_url is not None
    database = connect_database(configuration.database_url)
    index(configuration, database, embedder)
    keys = {
        settings.tenant: create_key(
            database,
            name=settings.tenant,
            tenant=settings.tenant,
            scopes=("search", "push", "feedback", "judge", "approve", "admin"),
        )
        for settings in configuration.collections
    }
    with run_service(configuration) as running:
        wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
        yield Walled(running.url, database, keys)
    database.engine.dispose()


def index(configuration: Configuration, database: Database, embedder: Embedder) -> None:
    with RunContext(configuration, database, "run-1") as run_context:
        run_context.models.add_embedder(embedder.space.model, embedder)
        for source in configuration.sources:
            for stage in (sync_documents, build_chunks, embed_chunks, apply_entries):
                stage(run_context, source.name)
        for settings in configuration.collections:
            publish_index(run_context, settings.name)


def attack(walled: Walled, tenant: str, other: str) -> list[tuple[str, httpx2.Response]]:
    """Requests to every endpoint with names and ids of another tenant, and with unknown names."""
    theirs = walled.search(other, f"of-{other}").json()
    receipt = theirs["hits"][0]["receipt"]["id"]
    request_id, document = theirs["request_id"], theirs["hits"][0]["document_id"]
    generation = theirs["generation"]

    def ask(method: str, path: str, **options: Any) -> tuple[str, httpx2.Response]:
        return f"{method} {path}", walled.ask(tenant, method, path, **options)

    def call(tool: str, **arguments: str) -> tuple[str, httpx2.Response]:
        params = {"name": tool, "arguments": {"collection": name, **arguments}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        accepted = {"accept": "application/json, text/event-stream"}
        return f"MCP {tool}", walled.ask(tenant, "POST", "/mcp", json=message, headers=accepted)

    def look(path: str, **query: str) -> tuple[str, httpx2.Response]:
        cookies = {"cookie": f"ragline_key={walled.keys[tenant]}"}
        answer = httpx2.get(walled.url + path, params=query, headers=cookies, timeout=30)
        return f"page {path}", answer

    name = f"of-{other}"
    judged = f"/v1/collections/{name}/generations/{generation}"
    put = {"text": f"planted by {tenant}"}
    return [
        call("search", query="secret plan"),
        call("get_document", document_id=document),
        call("freshness"),
        look("/", collection=name, q="secret plan"),
        look(f"/receipts/{receipt}"),
        look("/documents", collection=name),
        look("/documents", collection=name, document_id=document),
        look("/freshness-and-quality", collection=name),
        ask("POST", f"/v1/vector_stores/{name}/search", json={"query": "secret plan"}),
        ask("GET", f"/v1/vector_stores/{name}"),
        ask("GET", "/v1/vector_stores"),
        ("search", walled.search(tenant, name)),
        ("search by filter", walled.search(tenant, name, filter={"metadata.owner": other})),
        ("search by exact scan", walled.search(tenant, name, exact=True, explain=True)),
        ask("POST", "/v1/search/explain", json={
            "collection": name, "query": "secret plan", "document_id": document
        }),
        ask("GET", f"/v1/receipts/{receipt}"),
        ask("GET", f"/v1/collections/{name}"),
        ask("GET", f"/v1/collections/{name}/freshness"),
        ask("GET", f"/v1/collections/{name}/documents"),
        ask("GET", f"/v1/collections/{name}/documents/{document}"),
        ask("PUT", f"/v1/collections/{name}/documents/planted", json=put),
        ask("DELETE", f"/v1/collections/{name}/documents/{document}"),
        ask("POST", f"/v1/collections/{name}/documents:bulk", json={
            "operations": [{"op": "delete", "document_id": document}]
        }),
        ask("POST", "/v1/feedback", json={
            "request_id": request_id, "document_id": document, "kind": "click"
        }),
        ask("GET", f"/v1/quality?collection={name}"),
        ask("GET", f"/v1/collections/{name}/generations"),
        ask("GET", f"/v1/collections/{name}/gate-reports"),
        ask("GET", f"/v1/collections/{name}/gate-reports/1"),
        ask("POST", f"{judged}/approve", json={"reason": "planted", "report_id": 1}),
        ask("POST", f"{judged}/promote", json={"reason": "planted", "force": True}),
        ask("POST", f"{judged}/refuse", json={"reason": "planted"}),
        ask("POST", f"/v1/collections/{name}/rollback", json={"reason": "planted"}),
        ask("GET", f"/v1/collections/{name}/golden-proposals"),
        look("/review", collection=name),
        # The click above makes a proposal of the query.
        ask("POST", f"/v1/collections/{name}/golden-proposals/{make_query_id(QUERY)}", json={
            "answer": "reject"
        }),
        ask("GET", f"/v1/collections/{name}/generations/{generation}/card"),
        ask("GET", f"/v1/collections/of-{tenant}/generations/{generation}/card"),
    ]  # fmt: skip


# The requests of these operations contain texts and name no stored data.
WITHOUT_STORED_DATA = {("POST", "/v1/embeddings"), ("POST", "/v1/rerank"), ("POST", "/v2/rerank")}


def test_every_operation_is_attacked(walled: Walled) -> None:
    operations = list_operations_with_input(httpx2.get(f"{walled.url}/openapi.json").json())
    requests = [answer.request for _, answer in attack(walled, "tenant00", "tenant01")]
    missing = operations - match_operations(operations, requests)
    assert missing == WITHOUT_STORED_DATA


@pytest.fixture(params=["both walls", "the database's wall alone", "the service's wall alone"])
def walls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "the database's wall alone":
        monkeypatch.setattr(Caller, "can_access", lambda _self, _settings: True)
    if request.param == "the service's wall alone":
        monkeypatch.setattr(TenantDatabase, "begin", Database.begin)
        monkeypatch.setattr(TenantDatabase, "connect", Database.connect)
    return str(request.param)


def test_other_tenants_do_not_exist_at_any_endpoint(walled: Walled, walls: str) -> None:
    for number in range(0, TENANTS, 5):
        tenant, other = name_tenant(number), name_tenant(number + 1)
        for what, answer in attack(walled, tenant, other):
            received = f"{walls}: {what}: {answer.status_code} {answer.text[:300]}"
            named = answer.text.replace(f"of-{other}", "").replace(f"pushed-{other}", "")
            assert other not in named, received
            if answer.status_code != 200:
                assert answer.status_code in (404, 409), received
            elif "json" in answer.headers["content-type"]:
                body = answer.json()
                assert not body.get("sources"), received
                assert not body.get("documents"), received
                assert {"unknown"} >= {one["status"] for one in body.get("results", [])}


def test_the_same_requests_are_answered_to_their_owner(walled: Walled) -> None:
    for what, answer in attack(walled, "tenant07", "tenant07"):
        # These decide about a live generation, or read a report that this collection lacks.
        refused = ("/approve", "/promote", "/refuse", "/rollback", "/gate-reports", "/1")
        if what.startswith(("PUT", "DELETE")) or what.endswith(refused):
            continue
        assert answer.is_success, f"{what}: {answer.text}"
        assert '"isError":true' not in answer.text, what
        assert "tenant07" in answer.text or what.endswith(("feedback", ":bulk")), what


def test_pushed_documents_are_behind_both_walls(walled: Walled, walls: str) -> None:
    path = "/v1/collections/of-tenant02/documents/diary"
    assert walled.ask("tenant02", "PUT", path, json={"text": "mine"}).is_success
    with walled.database.connect() as connection:
        before = connection.exec_driver_sql(PUSHED).all()
    planted = "/v1/collections/of-tenant02/documents/planted"
    bulk = {"operations": [{"op": "delete", "document_id": "diary"}]}
    for answer in (
        walled.ask("tenant03", "PUT", path, json={"text": "theirs"}),
        walled.ask("tenant03", "PUT", planted, json={"text": "theirs"}),
        walled.ask("tenant03", "DELETE", path),
    ):
        assert answer.status_code == 404, f"{walls}: {answer.text}"
    answer = walled.ask("tenant03", "POST", "/v1/collections/of-tenant02/documents:bulk", json=bulk)
    assert answer.status_code == 404 or answer.json()["results"][0]["status"] == "unknown"
    with walled.database.connect() as connection:
        assert connection.exec_driver_sql(PUSHED).all() == before
    assert walled.ask("tenant02", "DELETE", path).is_success


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that the threads of requests execute before their responses."""
    seen: list[str] = []

    def see(_c: object, _u: object, statement: str, *_: object) -> None:
        if current_thread().name.startswith("AnyIO worker"):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", see)
    yield seen
    event.remove(Engine, "before_cursor_execute", see)


def test_data_of_another_tenant_looks_nonexistent(walled: Walled) -> None:
    """The text is the same, and so are the statements, and therefore the time."""
    theirs = walled.search("tenant01", "of-tenant01").json()
    receipt = theirs["hits"][0]["receipt"]["id"]
    paths = ["{}", "{}/freshness", "{}/documents", "{}/documents/doc1"]
    pairs = [
        tuple("/v1/collections/" + path.format(name) for name in ("of-tenant01", "of-tenant99"))
        for path in paths
    ]
    pairs.append((f"/v1/receipts/{receipt}", "/v1/receipts/9999-1"))
    for known, unknown in pairs:
        answers, asked = [], []
        for path in (known, unknown):
            with statements() as seen:
                answers.append(walled.ask("tenant00", "GET", path))
            asked.append(seen)
        assert {answer.status_code for answer in answers} == {404}
        assert asked[0] == asked[1]
        assert asked[0]
        received = [
            {k: v for k, v in answer.json().items() if k not in ("request_id", "instance")}
            for answer in answers
        ]
        body = (
            json.dumps(received[0]).replace("of-tenant01", "of-tenant99").replace(receipt, "9999-1")
        )
        assert json.loads(body) == received[1]


def test_concurrent_searches_see_only_their_tenant(walled: Walled) -> None:
    def search(number: int) -> set[str]:
        tenant = name_tenant(number % TENANTS)
        mode = ("hybrid", "vector", "keyword")[number % 3]
        hits = walled.search(tenant, f"of-{tenant}", mode=mode).json()["hits"]
        assert len(hits) == len(TEXTS) or mode == "keyword"
        assert hits
        return {hit["metadata"]["owner"] for hit in hits} - {tenant}

    with ThreadPoolExecutor(8) as pool:
        foreign = set().union(*pool.map(search, range(SEARCHES)))
    assert foreign == set()


def test_collections_are_listed_only_to_their_tenant(walled: Walled) -> None:
    listed = walled.ask("tenant03", "GET", "/v1/collections").json()["collections"]
    assert [one["name"] for one in listed] == ["of-tenant03"]
    refused = walled.search("tenant03", "of-tenant04").json()
    assert refused["detail"] == "unknown collection 'of-tenant04'; known: of-tenant03"


OPEN = {"/healthz", "/readyz", "/metrics"}


def test_no_endpoint_answers_without_a_key(walled: Walled) -> None:
    paths = httpx2.get(f"{walled.url}/openapi.json").json()["paths"]
    tried = 0
    for path, operations in paths.items():
        if path in OPEN:
            continue
        for method in operations:
            place = path.replace("{collection}", "of-tenant00").replace("{", "").replace("}", "")
            for headers in ({}, {"authorization": "Bearer rag_0_0"}, {"x-api-key": "é" * 9}):
                sent = {name: value.encode() for name, value in headers.items()}
                answer = httpx2.request(method, walled.url + place, headers=sent)
                assert answer.status_code in (401, 422), (method, path, answer.text)
                tried += answer.status_code == 401
    assert tried > 20


@pytest.fixture
def make_key(walled: Walled) -> Iterator[Callable[..., httpx2.Client]]:
    with ExitStack() as clients:

        def make(**options: Any) -> httpx2.Client:
            options = {"name": "k", "tenant": "tenant00", **options}
            key = create_key(walled.database, **options)
            client = httpx2.Client(base_url=walled.url, headers={"x-api-key": key}, timeout=30)
            return clients.enter_context(client)

        yield make


BODY = {"collection": "of-tenant00", "query": "plan"}


def test_missing_scope_is_named(make_key: Callable[..., httpx2.Client]) -> None:
    client = make_key(scopes=("search",))
    assert client.post("/v1/search", json=BODY).status_code == 200
    put = client.put("/v1/collections/of-tenant00/documents/a", json={"text": "x"})
    assert put.status_code == 403
    assert put.json()["detail"] == "the key has no scope push; it has: search"
    assert client.get("/v1/quality").status_code == 403


def test_key_for_some_collections_sees_only_these(make_key: Callable[..., httpx2.Client]) -> None:
    client = make_key(collections=["of-other"])
    assert client.post("/v1/search", json=BODY).status_code == 404
    assert client.get("/v1/collections").json() == {"collections": []}


def test_a_search_can_restrict_but_not_extend_principals(
    make_key: Callable[..., httpx2.Client],
) -> None:
    client = make_key(principals=["anna", "staff"])
    assert client.post("/v1/search", json={**BODY, "principals": ["anna"]}).status_code == 200
    refused = client.post("/v1/search", json={**BODY, "principals": ["anna", "eve"]})
    assert refused.status_code == 403
    assert refused.json()["detail"] == "the key may not act as principal 'eve'"
    assert make_key().post("/v1/search", json={**BODY, "principals": ["x"]}).status_code == 403
    unrestricted = make_key(principals=["*"])
    assert unrestricted.post("/v1/search", json={**BODY, "principals": ["x"]}).status_code == 200


@pytest.fixture
def hidden(walled: Walled) -> Iterator[str]:
    """A document of tenant00 that only the principal `anna` may read."""
    document, principals = "doc1", "array['anna']"
    with walled.database.connect() as connection:
        find = "select id from ragline.collections where name = 'of-tenant00'"
        collection = connection.exec_driver_sql(find).scalar_one()
        find = f"select id from ragline.generations where collection_id = {collection}"
        generation = connection.exec_driver_sql(find).scalar_one()
    keys = (
        "select d.id from ragline.documents as d join ragline.sources as s on s.id = d.source_id "
        f"where s.collection_id = {collection} and d.document_id = '{document}'"
    )

    def set_principals(value: str) -> None:
        with walled.database.begin() as connection:
            for table, key in (("documents", "id"), (f"entries_{generation}", "document_key")):
                connection.exec_driver_sql(
                    f"update ragline.{table} set principals = {value} where {key} in ({keys})"
                )

    set_principals(principals)
    yield document
    set_principals("null")


def test_hidden_document_is_explained_only_to_its_readers_and_administrators(
    make_key: Callable[..., httpx2.Client], hidden: str
) -> None:
    def ask(client: httpx2.Client, document: str, **more: Any) -> httpx2.Response:
        body = {**BODY, "document_id": document, **more}
        return client.post("/v1/search/explain", json=body)

    answers, asked = [], []
    other = make_key(scopes=("search",))
    for document in (hidden, "unknown"):
        with statements() as seen:
            answers.append(ask(other, document))
        # The remaining time limit differs.
        asked.append([re.sub(r"timeout = \d+", "", statement) for statement in seen])
    assert {answer.status_code for answer in answers} == {404}
    assert asked[0] == asked[1]
    received = [answer.json()["detail"].replace(hidden, "unknown") for answer in answers]
    assert received[0] == received[1]

    anna = make_key(scopes=("search",), principals=["anna"])
    assert ask(anna, hidden).json()["is_hit"]
    assert ask(anna, hidden, principals=["eve"]).status_code == 403
    administrator = make_key(scopes=("search", "admin"))
    received = ask(administrator, hidden).json()
    assert (received["is_hit"], received["reason"]) == (False, "principals")
    assert ask(make_key(scopes=("push",)), hidden).status_code == 403


def test_rate_limit_refuses_with_the_time_to_wait(make_key: Callable[..., httpx2.Client]) -> None:
    client = make_key(requests_per_minute=3)
    statuses = [client.post("/v1/search", json=BODY) for _ in range(5)]
    assert [answer.status_code for answer in statuses] == [200, 200, 200, 429, 429]
    assert 1 <= int(statuses[-1].headers["retry-after"]) <= 20


def test_revoked_and_expired_keys_are_refused_at_once(walled: Walled) -> None:
    key = create_key(walled.database, name="short", tenant="tenant00")
    with httpx2.Client(base_url=walled.url, headers={"x-api-key": key}) as client:
        assert client.post("/v1/search", json=BODY).status_code == 200
        revoke_key(walled.database, key.split("_")[1])
        assert client.post("/v1/search", json=BODY).status_code == 401
    (known,) = [one for one in list_keys(walled.database) if one.name == "short"]
    assert known.revoked_at is not None
    with walled.database.begin() as connection:
        secrets = connection.execute(text("select to_jsonb(k)::text from ragline.api_keys as k"))
        assert key.split("_", 2)[2] not in "".join(secrets.scalars())


def test_remote_metrics_need_a_key(walled: Walled, make_key: Callable[..., httpx2.Client]) -> None:
    assert httpx2.get(f"{walled.url}/metrics").status_code == 200
    elsewhere = {"x-forwarded-for": "10.0.0.1"}
    assert httpx2.get(f"{walled.url}/metrics", headers=elsewhere).status_code == 401
    assert make_key().get("/metrics", headers=elsewhere).status_code == 403
    assert make_key(scopes=("admin",)).get("/metrics", headers=elsewhere).status_code == 200


def test_remote_callers_are_refused_while_no_key_exists(client: httpx2.Client) -> None:
    body = {"collection": "handbook", "query": "lunch"}
    assert client.post("/v1/search", json=body).status_code == 200
    forwarded = client.post("/v1/search", json=body, headers={"x-forwarded-for": "10.0.0.1"})
    assert forwarded.status_code == 403
    assert "ragline keys create" in forwarded.json()["detail"]
