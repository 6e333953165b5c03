"""Ragline behind LiteLLM's proxy: as a reranker, as a vector store, and for what models answer.

The proxy cannot be installed together with the locked packages. `make litellm` creates an
environment for it and runs these tests. The chat model is a stub that records its requests.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from ragline_home import Home

PYTHON = os.environ.get("RAGLINE_LITELLM")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        PYTHON is None, reason="RAGLINE_LITELLM names no Python with LiteLLM; see `make litellm`"
    ),
]

START_S = 120
CONFIGURATION = """\
collections:
  - name: notes
sources:
  - name: facts
    collection: notes
    kind: records
    uri: ./facts.jsonl
"""
FACTS = {
    "ferry": "The ferry to the island leaves at seven in the morning.",
    "tea": "Tea is picked by hand on the slopes of the mountain.",
    "bread": "Bread is baked in the oven behind the mill.",
}
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
ANSWER = {
    "id": "chat-1",
    "object": "chat.completion",
    "created": 1,
    "model": "stub",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "At seven."},
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


class ChatModel(BaseHTTPRequestHandler):
    """Answers every question alike. What it was asked is in `asked`."""

    asked: list[dict[str, Any]] = []  # noqa: RUF012  its server makes an instance for each request

    def do_POST(self) -> None:
        self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        content = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def describe_proxy(ragline_url: str, chat_url: str) -> dict[str, Any]:
    """The proxy's settings. Ragline has no keys here, but each provider must be given one."""
    chat = {"model": "openai/stub", "api_base": f"{chat_url}/v1", "api_key": "any"}
    ragline = {"api_base": ragline_url, "api_key": "any"}
    ragline_v1 = {"api_base": f"{ragline_url}/v1", "api_key": "any"}
    return {
        "model_list": [
            {"model_name": "chat", "litellm_params": chat},
            {"model_name": "as-cohere", "litellm_params": {"model": "cohere/any", **ragline}},
            {"model_name": "as-jina", "litellm_params": {"model": "jina_ai/any", **ragline}},
            {"model_name": "minilm", "litellm_params": {"model": f"openai/{MODEL}", **ragline_v1}},
        ],
        "vector_store_registry": [
            {
                "vector_store_name": "notes",
                "litellm_params": {
                    "vector_store_id": "notes",
                    "custom_llm_provider": "openai",
                    **ragline_v1,
                },
            }
        ],
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }


@pytest.fixture(scope="module")
def ragline_url(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[str]:
    """A served collection of three facts."""
    folder = tmp_path_factory.mktemp("ragline")
    (folder / "ragline.yaml").write_text(CONFIGURATION, encoding="utf-8")
    lines = [json.dumps({"_id": name, "text": text}) for name, text in FACTS.items()]
    (folder / "facts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (folder / ".ragline" / "models").symlink_to(model_cache)
    home = Home(folder, None)
    home.environment.pop("RAGLINE_DATABASE_URL", None)
    home.run("sync")
    with ended(home.start("serve", "--port", "0")) as service:
        assert service.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", service.stderr.readline())
        assert found is not None
        wait_for(f"{found[0]}/readyz", service)
        yield found[0]


@pytest.fixture(scope="module")
def chat_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), ChatModel) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def proxy(
    tmp_path_factory: pytest.TempPathFactory, ragline_url: str, chat_url: str
) -> Iterator[httpx2.Client]:
    """A client of the real proxy, a process of its own."""
    assert PYTHON is not None
    folder, key = tmp_path_factory.mktemp("litellm"), f"sk-{secrets.token_hex(32)}"
    # JSON is YAML.
    (folder / "config.yaml").write_text(json.dumps(describe_proxy(ragline_url, chat_url)), "utf-8")
    port = str(find_free_port())
    # Not resolved: an environment is found by the place of its links.
    command = [Path(PYTHON).absolute().with_name("litellm"), "--config", "config.yaml"]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LITELLM_MASTER_KEY": key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", port],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
    url = f"http://127.0.0.1:{port}"
    with ended(process):
        wait_for(f"{url}/health/liveliness", process)
        headers = {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=url, headers=headers, timeout=60) as client:
            yield client


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive its use."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def wait_for(url: str, process: subprocess.Popen[str]) -> None:
    """Return when a service that was started answers with 200."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            if httpx2.get(url, timeout=10).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < deadline, f"{url} did not answer in {START_S} s"
        time.sleep(0.2)


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def ask(proxy: httpx2.Client, path: str, **body: object) -> dict[str, Any]:
    answer = proxy.post(path, json=body)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


@pytest.mark.parametrize("model", ["as-cohere", "as-jina"])
def test_proxy_reranks_with_ragline(proxy: httpx2.Client, model: str) -> None:
    query, texts = "when does the ferry leave?", list(FACTS.values())[::-1]
    result = ask(proxy, "/rerank", model=model, query=query, documents=texts, top_n=2)
    best, second = result["results"]
    assert texts[best["index"]] == FACTS["ferry"]
    assert 1 >= best["relevance_score"] > second["relevance_score"] >= 0


def test_proxy_finds_chunks_in_the_collection(proxy: httpx2.Client) -> None:
    path = "/v1/vector_stores/notes/search"
    found = ask(proxy, path, query="who picks tea?", max_num_results=2)
    best, _ = found["data"]
    assert best["file_id"] == "tea"
    condition = {"type": "eq", "key": "document_id", "value": "bread"}
    found = ask(proxy, path, query="who picks tea?", filters=condition)
    assert [result["file_id"] for result in found["data"]] == ["bread"]


def test_what_ragline_refuses_is_no_failure_of_the_proxy(proxy: httpx2.Client) -> None:
    answer = proxy.post(
        "/v1/vector_stores/notes/search", json={"query": "tea", "filters": {"type": "like"}}
    )
    assert 400 <= answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    "naming",
    [
        {"vector_store_ids": ["notes"]},
        {"tools": [{"type": "file_search", "vector_store_ids": ["notes"]}]},
    ],
)
def test_chat_model_is_given_what_ragline_found(
    proxy: httpx2.Client, naming: dict[str, Any]
) -> None:
    question = {"role": "user", "content": "When does the ferry leave?"}
    answer = ask(proxy, "/v1/chat/completions", model="chat", messages=[question], **naming)
    message = answer["choices"][0]["message"]
    assert message["content"] == "At seven."
    (found,) = message["provider_specific_fields"]["search_results"]
    assert found["data"][0]["attributes"]["document_id"] == "ferry"
    *context, last = ChatModel.asked[-1]["messages"]
    assert last == question
    assert FACTS["ferry"] in json.dumps(context)


def test_proxy_embeds_with_ragline(proxy: httpx2.Client) -> None:
    (embedded,) = ask(proxy, "/v1/embeddings", model="minilm", input="tea")["data"]
    assert len(embedded["embedding"]) == 384
    assert sum(value**2 for value in embedded["embedding"]) == pytest.approx(1, abs=1e-3)
