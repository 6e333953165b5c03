"""Every failure becomes a problem of the same format, without confidential data."""

from __future__ import annotations

import importlib
import json
import logging
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError, ProgrammingError
from starlette.middleware import Middleware

import retrieval_api
from ragline.errors import (
    DatabaseUnavailableError,
    IndexNotReadyError,
    InvalidFilterError,
    ModelUnavailableError,
    RerankingError,
    SearchTimeoutError,
    UnknownCollectionError,
    UnknownHitError,
    UnknownRequestError,
)
from retrieval_api.messages.fields import StrictModel
from retrieval_api.messages.reranking import RerankBody
from retrieval_api.messages.search import SearchBody
from retrieval_api.observation.access_log import AccessLog
from retrieval_api.problem_handlers import FailureBoundary, add_problem_handlers
from retrieval_api.problems import MEDIA_TYPE
from retrieval_api.service import ServiceNotReadyError

SECRET = "password=hunter2 select * from secrets"


def make_client(failure: Exception | None = None) -> TestClient:
    """An app with the real handlers, whose route raises a given error."""
    app = FastAPI(middleware=[Middleware(AccessLog), Middleware(FailureBoundary)])
    add_problem_handlers(app)

    @app.get("/fail")
    def fail() -> None:
        assert failure is not None
        raise failure

    @app.post("/search")
    def search(body: SearchBody) -> str:
        return body.query

    @app.post("/rerank")
    def rerank(body: RerankBody) -> list[str]:
        return body.documents

    return TestClient(app)


def check_problem(answer: Response, status: int, name: str) -> dict[str, Any]:
    """The problem in a response. Checks what is the same for all problems."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    problem: dict[str, Any] = answer.json()
    assert set(problem) - {"errors"} == {
        "type",
        "title",
        "status",
        "detail",
        "message",
        "instance",
        "request_id",
    }
    assert problem["type"] == f"urn:ragline:problem:{name}"
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return problem


@pytest.mark.parametrize(
    ("failure", "status", "name"),
    [
        (UnknownCollectionError("unknown; known: a, b"), 404, "unknown-collection"),
        (UnknownRequestError("no such search"), 404, "unknown-request"),
        (IndexNotReadyError("not yet"), 409, "index-not-ready"),
        (SearchTimeoutError("longer than 5 ms"), 503, "search-timeout"),
        (ServiceNotReadyError("still loading"), 503, "service-not-ready"),
    ],
)
def test_public_error_is_returned(failure: Exception, status: int, name: str) -> None:
    answer = make_client(failure).get("/fail")
    problem = check_problem(answer, status, name)
    assert problem["detail"] == str(failure)
    assert problem["instance"] == "/fail"


@pytest.mark.parametrize(
    ("failure", "status", "name"),
    [
        (DatabaseUnavailableError(SECRET), 503, "database-unavailable"),
        (
            OperationalError(SECRET, {}, psycopg.OperationalError(SECRET)),
            503,
            "database-unavailable",
        ),
        (ModelUnavailableError(SECRET), 503, "model-unavailable"),
        (RerankingError(SECRET), 500, "reranking-failed"),
    ],
)
def test_error_that_may_contain_secrets_is_masked(
    failure: Exception, status: int, name: str
) -> None:
    answer = make_client(failure).get("/fail")
    check_problem(answer, status, name)
    assert "hunter2" not in answer.text
    assert "select" not in answer.text


def test_temporary_problem_has_a_time_to_retry() -> None:
    answer = make_client(DatabaseUnavailableError("gone")).get("/fail")
    assert int(answer.headers["retry-after"]) > 0


def test_log_of_a_database_failure_contains_no_query(caplog: pytest.LogCaptureFixture) -> None:
    error = OperationalError("select 1", {"query": "my illness"}, psycopg.OperationalError("gone"))
    with caplog.at_level(logging.WARNING):
        make_client(error).get("/fail")
    fields = [getattr(record, "fields", {}) for record in caplog.records]
    assert any(field.get("error") == "OperationalError: gone" for field in fields)
    assert "my illness" not in str(fields) + caplog.text


@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError(SECRET),
        ProgrammingError(SECRET, {}, psycopg.ProgrammingError(SECRET)),
        AssertionError(SECRET),
    ],
)
def test_unexpected_error_is_answered_without_its_reason_and_logged_with_it(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    answer = make_client(failure).get("/fail")
    problem = check_problem(answer, 500, "internal-error")
    assert "hunter2" not in answer.text
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.__dict__["fields"] == {"request_id": problem["request_id"]}
    assert record.exc_info is not None


def test_unknown_hit_names_its_field() -> None:
    answer = make_client(UnknownHitError("document 'x' was not among the hits")).get("/fail")
    problem = check_problem(answer, 422, "invalid-request")
    assert problem["errors"] == [
        {"field": "document_id", "message": "document 'x' was not among the hits"}
    ]


def test_unknown_path_is_a_problem() -> None:
    problem = check_problem(make_client().get("/näh"), 404, "not-found")
    assert problem["instance"] == "/n%C3%A4h"
    assert "/näh" in problem["detail"]


def test_path_that_is_not_utf8_is_reported() -> None:
    failure = InvalidFilterError("filter.a\ud800", "is no field")
    problem = check_problem(make_client(failure).get("/fail"), 422, "invalid-request")
    assert problem["errors"] == [{"field": "filter.a?", "message": "is no field"}]


def test_wrong_method_is_a_problem_with_the_allow_header() -> None:
    answer = make_client().get("/search")
    check_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


GOOD = {"collection": "c", "query": "q"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"query": None}, "query"),
        ({"query": " \t\n\u2003"}, "query"),
        ({"query": ""}, "query"),
        ({"query": "x" * 8_001}, "query"),
        ({"query": 7}, "query"),
        ({"collection": ""}, "collection"),
        ({"collection": "a\0b"}, "collection"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": 101}, "top_k"),
        ({"top_k": "5"}, "top_k"),
        ({"top_k": 10**30}, "top_k"),
        ({"top_k": True}, "top_k"),
        ({"mode": "magic"}, "mode"),
        ({"rerank": "yes"}, "rerank"),
        ({"topk": 5}, "topk"),
    ],
)
def test_bad_field_of_a_search_is_named(change: dict[str, Any], field: str) -> None:
    answer = make_client().post("/search", json={**GOOD, **change})
    problem = check_problem(answer, 422, "invalid-request")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["detail"].startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("topk", "top_k"), ("topK", "top_k"), ("reranker", "rerank"), ("filters", "filter")],
)
def test_similar_field_is_suggested(name: str, meant: str) -> None:
    answer = make_client().post("/search", json={**GOOD, name: 5, "mode": "magic"})
    problem = check_problem(answer, 422, "invalid-request")
    assert {"field": name, "message": f"unknown field; did you mean {meant}?"} in (
        problem["errors"]
    )
    # The other faults are reported too.
    assert {error["field"] for error in problem["errors"]} == {name, "mode"}


@pytest.mark.parametrize("name", ["zzz", "{0}", "x" * 10_000, ""])
def test_known_fields_are_listed_for_an_unknown_one(name: str) -> None:
    content = json.dumps({**GOOD, name: 5})
    headers = {"Content-Type": "application/json"}
    answer = make_client().post("/search", content=content, headers=headers)
    problem = check_problem(answer, 422, "invalid-request")
    assert "known: collection, query, top_k" in problem["errors"][0]["message"]


def test_every_request_message_suggests_fields() -> None:
    strict = {
        model
        for module in _list_modules(retrieval_api)
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, BaseModel)
        if model.__module__.startswith("retrieval_api.")
        if model.model_config.get("extra") == "forbid"
    }
    assert len(strict) > 10
    assert {model for model in strict if not issubclass(model, StrictModel)} == set()


def _list_modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


@pytest.mark.parametrize("missing", ["collection", "query"])
def test_missing_field_of_a_search_is_named(missing: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != missing}
    problem = check_problem(make_client().post("/search", json=body), 422, "invalid-request")
    assert problem["errors"] == [{"field": missing, "message": "Field required"}]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b"[1, 2]",
        b'"text"',
        b"null",
        b"[" * 100_000,
        b'{"top_k": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda content: repr(content[:8]),
)
def test_body_that_is_not_a_json_object_is_reported(content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = make_client().post("/search", content=content, headers=headers)
    problem = check_problem(answer, 422, "invalid-request")
    assert [error["field"] for error in problem["errors"]] == ["body"]


def test_error_of_a_wrong_content_type_names_the_right_one() -> None:
    answer = make_client().post("/search", content=json.dumps(GOOD))
    problem = check_problem(answer, 422, "invalid-request")
    assert "application/json" in problem["detail"]


def test_lone_surrogate_is_refused_and_not_a_failure() -> None:
    headers = {"Content-Type": "application/json"}
    content = b'{"collection": "c", "query": "a\\ud800b"}'
    answer = make_client().post("/search", content=content, headers=headers)
    problem = check_problem(answer, 422, "invalid-request")
    assert [error["field"] for error in problem["errors"]] == ["query"]


def test_text_that_was_sent_is_not_repeated_in_the_problem() -> None:
    answer = make_client().post("/search", json={**GOOD, "query": "my illness " * 1_000})
    assert "illness" not in answer.text


@pytest.mark.parametrize("document", [7, None, {"body": "x"}, {"text": 7}, {"text": "x", "id": 1}])
def test_malformed_document_of_a_rerank_is_reported_with_its_index(document: object) -> None:
    answer = make_client().post("/rerank", json={"query": "q", "documents": ["good", document]})
    problem = check_problem(answer, 422, "invalid-request")
    assert [error["field"] for error in problem["errors"]] == ["documents.1"]


def test_documents_may_be_strings_or_objects() -> None:
    body = {"query": "q", "documents": ["one", {"text": "two"}, ""]}
    assert make_client().post("/rerank", json=body).json() == ["one", "two", ""]


@pytest.mark.parametrize("documents", [[], ["x"] * 1_001, "text"])
def test_number_of_documents_is_bounded(documents: object) -> None:
    answer = make_client().post("/rerank", json={"query": "q", "documents": documents})
    problem = check_problem(answer, 422, "invalid-request")
    assert [error["field"] for error in problem["errors"]] == ["documents"]
