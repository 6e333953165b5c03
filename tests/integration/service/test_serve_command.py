"""`ragline serve` as a process: its output, its imports and its end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from running_service import wait_until

from ragline.configuration import Configuration

QUESTION = {"collection": "handbook", "query": "my secret illness"}

# Serves one search in this process and prints the imported modules.
PRINT_MODULES = """
import json, sys
from pathlib import Path
from fastapi.testclient import TestClient
from ragline.configuration import load_configuration
import time
import retrieval_api.commands
from retrieval_api.app import build_app

with TestClient(build_app(load_configuration()), client=("127.0.0.1", 1)) as client:
    while client.get("/readyz").status_code != 200:
        time.sleep(0.05)
    body = {"collection": "handbook", "query": "lunch", "rerank": True}
    assert client.post("/v1/search", json=body).status_code == 200
    assert client.get("/v1/collections").status_code == 200
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def environment(configuration: Configuration) -> dict[str, str]:
    own = {"RAGLINE_CONFIG": str(configuration.path), "RAGLINE_HOME": str(configuration.home)}
    inherited = {k: v for k, v in os.environ.items() if k != "RAGLINE_DATABASE_URL"}
    return {**inherited, **own}


@contextmanager
def serve(configuration: Configuration) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service in another process, with its address."""
    command = [sys.executable, "-m", "ragline", "serve", "--port", "0"]
    with subprocess.Popen(
        command, env=environment(configuration), stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
            assert found is not None
            yield process, found[0]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_service_answers_and_stops_on_a_signal(
    indexed_collection: Configuration, number: signal.Signals
) -> None:
    with serve(indexed_collection) as (process, url):
        wait_until(lambda: _is_ready(url))
        answer = httpx2.post(f"{url}/v1/search", json=QUESTION)
        assert answer.status_code == 200
        process.send_signal(number)
        _, log = process.communicate(timeout=20)
        assert process.returncode == 0
    lines = [json.loads(line) for line in log.splitlines()]
    (line,) = [line for line in lines if line.get("path") == "/v1/search"]
    assert line["status"] == 200
    assert line["request_id"] == answer.json()["request_id"]
    assert line["collection"] == "handbook"
    assert line["hits"] == len(answer.json()["hits"])
    assert "illness" not in log


def _is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def test_port_in_use_is_one_clear_line(indexed_collection: Configuration) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "ragline", "serve", "--port", port],
            env=environment(indexed_collection),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "cannot listen on 127.0.0.1" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_service_loads_no_part_of_the_pipeline(indexed_collection: Configuration) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINT_MODULES],
        env=environment(indexed_collection),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "openvino" in loaded
    assert not loaded & {
        "dagster",
        "great_expectations",
        "unstructured",
        "spacy",
        "assets",
        "dagster_project",
        "torch",
        "transformers",
        "pandas",
        "matplotlib",
    }
