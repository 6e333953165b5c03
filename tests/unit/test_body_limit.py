"""The limit on the size of a body, with and without a declared length."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.middleware import Middleware

from retrieval_api.access.body_limit import BodyLimit
from retrieval_api.observation.access_log import AccessLog
from retrieval_api.problem_handlers import add_problem_handlers
from retrieval_api.problems import MEDIA_TYPE

LIMIT_BYTES = 100


class Note(BaseModel):
    text: str


@pytest.fixture
def client() -> TestClient:
    app = FastAPI(middleware=[Middleware(AccessLog), Middleware(BodyLimit, max_bytes=LIMIT_BYTES)])
    add_problem_handlers(app)

    @app.post("/notes")
    def count_characters(note: Note) -> int:
        return len(note.text)

    return TestClient(app, raise_server_exceptions=False)


def make_body(size_bytes: int) -> bytes:
    empty = b'{"text":""}'
    return empty[:-2] + b"x" * (size_bytes - len(empty)) + empty[-2:]


def in_pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 30):
        yield body[start : start + 30]


HEADERS = {"Content-Type": "application/json"}


def test_body_of_exactly_the_limit_passes(client: TestClient) -> None:
    answer = client.post("/notes", content=make_body(LIMIT_BYTES), headers=HEADERS)
    assert answer.status_code == 200
    assert answer.json() == LIMIT_BYTES - 11


def test_body_over_the_limit_is_refused_by_its_declared_length(client: TestClient) -> None:
    answer = client.post("/notes", content=make_body(LIMIT_BYTES + 1), headers=HEADERS)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["detail"] == "The maximum size of a body is 100 bytes."
    assert answer.json()["type"] == "urn:ragline:problem:body-too-large"


def test_body_over_the_limit_is_refused_without_a_declared_length(client: TestClient) -> None:
    answer = client.post("/notes", content=in_pieces(make_body(500)), headers=HEADERS)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["detail"] == "The maximum size of a body is 100 bytes."


def test_body_within_the_limit_passes_without_a_declared_length(client: TestClient) -> None:
    answer = client.post("/notes", content=in_pieces(make_body(90)), headers=HEADERS)
    assert answer.json() == 79
