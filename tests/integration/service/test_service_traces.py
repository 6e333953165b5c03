"""Traces: they continue the caller's trace, and no span contains the text of a query."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx2
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from otlp_receiver import receive_otlp
from running_service import wait_until

from ragline.configuration import Configuration
from ragline.errors import SearchTimeoutError

Search = Callable[..., dict[str, Any]]
TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
LOG = "retrieval_api.observation.access_log"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """All spans of the test, in order of their end."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # OpenTelemetry permits to set a provider only once in a process.
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    yield exporter
    provider.shutdown()


def wait_for_request(exporter: InMemorySpanExporter, name: str) -> Sequence[ReadableSpan]:
    """The spans, after the span of the request has ended. It ends after the response."""
    wait_until(lambda: name in {span.name for span in exporter.get_finished_spans()}, 5)
    return exporter.get_finished_spans()


def ids(span: ReadableSpan) -> tuple[str, str | None]:
    context, parent = span.get_span_context(), span.parent
    assert context is not None
    return (
        trace.format_trace_id(context.trace_id),
        None if parent is None else trace.format_span_id(parent.span_id),
    )


def test_search_is_a_trace_of_its_stages(
    client: httpx2.Client, exporter: InMemorySpanExporter
) -> None:
    body = {"collection": "handbook", "query": "my secret illness", "rerank": True, "top_k": 2}
    answer = client.post("/v1/search", json=body, headers={"traceparent": TRACEPARENT})
    assert answer.status_code == 200
    finished = wait_for_request(exporter, "POST /v1/search")
    spans = {span.name: span for span in finished}
    assert list(spans) == ["embed", "retrieve", "rerank", "search", "POST /v1/search"]
    assert {ids(span)[0] for span in finished} == {TRACE_ID}
    request, search = spans["POST /v1/search"], spans["search"]
    assert request.kind is trace.SpanKind.SERVER
    assert ids(request) == (TRACE_ID, PARENT_ID)
    assert search.parent == request.get_span_context()
    for name in ("embed", "retrieve", "rerank"):
        assert spans[name].parent == search.get_span_context()
    shared = {
        "ragline.collection": "handbook",
        "ragline.mode": "hybrid",
        "ragline.generation": answer.json()["generation"],
    }
    for name in ("embed", "retrieve", "rerank"):
        assert dict(spans[name].attributes or {}) == shared
    assert dict(search.attributes or {}) == {**shared, "ragline.hits": 2}
    assert (
        dict(request.attributes or {}).items()
        >= {
            **shared,
            "ragline.hits": 2,
            "http.route": "/v1/search",
            "http.response.status_code": 200,
        }.items()
    )
    assert "illness" not in "".join(span.to_json() for span in finished)


def test_error_is_recorded_by_its_class_and_not_its_message(
    client: httpx2.Client,
    exporter: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise SearchTimeoutError("took too long: my secret illness")

    monkeypatch.setattr("ragline.search.searcher.retrieve_candidates", fail)
    body = {"collection": "handbook", "query": "my secret illness"}
    assert client.post("/v1/search", json=body).status_code == 503
    finished = wait_for_request(exporter, "POST /v1/search")
    spans = {span.name: span for span in finished}
    for name in ("retrieve", "search"):
        assert spans[name].status.status_code is trace.StatusCode.ERROR
        assert spans[name].status.description == "SearchTimeoutError"
    assert "illness" not in "".join(span.to_json() for span in finished)


def test_trace_id_is_in_the_log_also_without_an_sdk(
    client: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    def read_logged() -> list[str]:
        lines = [vars(record)["fields"] for record in caplog.records if record.name == LOG]
        return [line["trace_id"] for line in lines if line["path"] == "/healthz"]

    with caplog.at_level(logging.INFO, LOG):
        client.get("/healthz", headers={"traceparent": TRACEPARENT})
        client.get("/healthz")
        wait_until(lambda: len(read_logged()) == 2, 5)
    first, second = read_logged()
    assert first == TRACE_ID
    assert re.fullmatch(r"[0-9a-f]{32}", second)
    assert second != TRACE_ID


def serve_and_search(configuration: Configuration, variables: dict[str, str]) -> list[Any]:
    """The log of a service in another process that answered one search and was stopped."""
    own = {"RAGLINE_CONFIG": str(configuration.path), "RAGLINE_HOME": str(configuration.home)}
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "RAGLINE_"))}
    with subprocess.Popen(
        [sys.executable, "-m", "ragline", "serve", "--port", "0"],
        env={**inherited, **own, **variables},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            before = []
            while not (
                found := re.search(r"http://127\.0\.0\.1:\d+", line := process.stderr.readline())
            ):
                before.append(line)
            wait_until(lambda: is_ready(found[0]))
            body = {"collection": "handbook", "query": "my secret illness"}
            headers = {"traceparent": TRACEPARENT}
            answer = httpx2.post(f"{found[0]}/v1/search", json=body, headers=headers)
            assert answer.status_code == 200
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=30)
            assert process.returncode == 0
        finally:
            process.kill()
    return [json.loads(line) for line in [*before, *log.splitlines()]]


def is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def test_endpoint_in_the_environment_receives_traces_and_metrics(
    indexed_collection: Configuration,
) -> None:
    with receive_otlp() as receiver:
        log = serve_and_search(
            indexed_collection,
            {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_SERVICE_NAME": "our-search"},
        )
    spans = {span.name: span for span in receiver.spans}
    assert {"embed", "retrieve", "search", "POST /v1/search"} <= spans.keys()
    assert spans["search"].trace_id.hex() == TRACE_ID
    assert spans["POST /v1/search"].parent_span_id.hex() == PARENT_ID
    names = {metric.name for metric in receiver.metrics}
    assert {
        "http.server.request.duration",
        "ragline.search.stage.duration",
        "ragline.hits",
        "ragline.records.lost",
        "ragline.records.waiting",
    } <= names
    sent = b"".join(body for _, body in receiver.bodies)
    assert b"our-search" in sent
    assert b"illness" not in sent
    (line,) = [line for line in log if line.get("path") == "/v1/search"]
    assert line["trace_id"] == TRACE_ID


def test_one_signal_can_be_turned_off(indexed_collection: Configuration) -> None:
    with receive_otlp() as receiver:
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_METRICS_EXPORTER": "none",
        }
        serve_and_search(indexed_collection, variables)
    assert {path for path, _ in receiver.bodies} == {"/v1/traces"}


def test_unavailable_collector_does_not_affect_the_service(
    indexed_collection: Configuration,
) -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    log = serve_and_search(indexed_collection, variables)
    assert [line["status"] for line in log if line.get("path") == "/v1/search"] == [200]
