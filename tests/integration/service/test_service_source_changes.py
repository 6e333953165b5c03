"""POST /v1/sources/{source}/changed over loopback: callers with keys, and webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from running_service import INBOX, RunningService, run_service, wait_until

from ragline.access.keys import create_key, list_keys, revoke_key
from ragline.configuration import CollectionSettings, Configuration
from ragline.sources.change_signals import (
    MAX_SIGNALLED_DOCUMENTS,
    ChangeSignals,
    SignalListener,
    read_signals,
)
from ragline.sources.files.settings import FilesSettings
from ragline.sources.git.settings import GitSettings
from ragline.sources.settings import WebhookSender, WebhookSettings
from retrieval_api.access.body_limit import MAX_BODY_BYTES

SECRET = "a secret of the sender"
ARTICLES = "handbook-articles"


def hook(sender: WebhookSender, variable: str = "HOOK_SECRET") -> dict[str, WebhookSettings]:
    return {"webhook": WebhookSettings(sender=sender, secret=variable)}


SOURCES = (
    INBOX,
    GitSettings(
        name="code", collection="pushed", kind="git", uri="https://git.example/code.git",
        branch="main", **hook("github"),
    ),
    GitSettings(
        name="lab", collection="pushed", kind="git", uri="https://lab.example/code.git",
        **hook("gitlab"),
    ),
    FilesSettings(
        name="bucket", collection="pushed", kind="files", uri="s3://library/manuals", **hook("s3")
    ),
    GitSettings(
        name="unset", collection="pushed", kind="git", uri="https://git.example/unset.git",
        **hook("github", "UNSET_SECRET"),
    ),
    GitSettings(
        name="theirs", collection="of-acme", kind="git", uri="https://git.example/theirs.git",
        **hook("github"),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def signalled(indexed_collection: Configuration) -> Iterator[RunningService]:
    """The service with sources that have webhooks, two of them in another tenant's collection."""
    collections = (
        CollectionSettings(name="pushed"),
        CollectionSettings(name="of-acme", tenant="acme"),
    )
    configuration = indexed_collection.model_copy(
        update={
            "collections": (*indexed_collection.collections, *collections),
            "sources": (*indexed_collection.sources, *SOURCES),
        }
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HOOK_SECRET", SECRET)
        environment.delenv("UNSET_SECRET", raising=False)
        with run_service(configuration) as running:
            wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
            yield running


@pytest.fixture
def client(signalled: RunningService) -> Iterator[httpx2.Client]:
    with signalled.service.database.begin() as connection:
        connection.exec_driver_sql("truncate ragline.change_signals")
    with httpx2.Client(base_url=signalled.url, timeout=30) as client:
        yield client


@pytest.fixture
def keys(signalled: RunningService) -> Iterator[dict[str, str]]:
    """A key of each kind, while callers need a key."""
    database = signalled.service.database
    made = {
        "push": create_key(database, name="p", tenant="default", scopes=["push"]),
        "search": create_key(database, name="s", tenant="default", scopes=["search"]),
        "narrow": create_key(
            database, name="n", tenant="default", scopes=["push"], collections=["handbook"]
        ),
        "acme": create_key(database, name="a", tenant="acme", scopes=["push"]),
    }
    signalled.service.refresh_has_keys()
    yield made
    for key in list_keys(database):
        if key.revoked_at is None:
            revoke_key(database, key.public_id)
    signalled.service.refresh_has_keys()


def signal(
    client: httpx2.Client, source: str, key: str | None = None, **options: Any
) -> httpx2.Response:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    headers |= options.pop("headers", {})
    return client.post(f"/v1/sources/{source}/changed", headers=headers, **options)


def read(running: RunningService) -> dict[str, ChangeSignals]:
    with running.service.database.connect() as connection:
        return {one.source: one for one in read_signals(connection)}


def sign(body: bytes, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={digest}", "x-github-event": "push"}


PUSHED = json.dumps({"ref": "refs/heads/main", "commits": []}).encode()


def test_signal_without_a_body_means_the_whole_source(signalled, client):
    with SignalListener(signalled.service.database) as listener:
        answer = signal(client, ARTICLES)
        assert listener.wait(10) == {ARTICLES}
    assert answer.status_code == 202
    told = answer.json()
    assert told["listed_at"] < told["signalled_at"]
    del told["listed_at"], told["signalled_at"]
    assert told == {
        "source": ARTICLES,
        "collection": "handbook",
        "is_recorded": True,
        "reason": "request",
        "document_ids": None,
    }
    assert read(signalled)[ARTICLES].document_ids is None


def test_signal_can_name_documents(signalled, client):
    answer = signal(client, "inbox", json={"document_ids": ["b", "a", "b"]})
    assert answer.json()["document_ids"] == ["a", "b"]
    assert answer.json()["listed_at"] is None
    signal(client, "inbox", json={"document_ids": ["c"]})
    assert read(signalled)["inbox"].document_ids == ("a", "b", "c")


def test_signal_with_many_documents_means_the_whole_source(signalled, client):
    ids = [f"{number}" for number in range(MAX_SIGNALLED_DOCUMENTS + 1)]
    assert signal(client, "inbox", json={"document_ids": ids}).json()["document_ids"] is None
    assert read(signalled)["inbox"].document_ids is None


def test_repeated_signal_is_harmless(signalled, client):
    for _ in range(3):
        assert signal(client, "inbox", json={"document_ids": ["a"]}).status_code == 202
    assert read(signalled)["inbox"].document_ids == ("a",)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"document_ids": []}, "document_ids"),
        ({"document_ids": [7]}, "document_ids.0"),
        ({"document_ids": [""]}, "document_ids.0"),
        ({"document_ids": "a"}, "document_ids"),
        ({"documents": ["a"]}, "documents"),
        (["a"], "body"),
    ],
)
def test_malformed_body_is_refused(signalled, client, body, field):
    answer = signal(client, "inbox", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert read(signalled) == {}


def test_body_over_the_limit_is_refused(signalled, client):
    body = b"x" * (MAX_BODY_BYTES + 1)
    assert signal(client, "inbox", content=body).status_code == 413
    assert signal(client, "code", content=body, headers=sign(body)).status_code == 413
    assert read(signalled) == {}


def test_unknown_source(client):
    answer = signal(client, "nowhere")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:ragline:problem:unknown-source"
    assert "known: bucket, code, handbook-articles, inbox" in answer.json()["detail"]


def test_key_needs_the_scope_push_and_the_collection(client, keys):
    assert signal(client, "inbox").status_code == 401
    assert signal(client, "inbox", "rag_wrong").status_code == 401
    assert signal(client, "inbox", keys["search"]).status_code == 403
    assert signal(client, "inbox", keys["push"]).status_code == 202
    assert signal(client, ARTICLES, keys["narrow"]).status_code == 202
    other, unknown = signal(client, "inbox", keys["narrow"]), signal(client, "x", keys["narrow"])
    assert other.status_code == unknown.status_code == 404
    assert "known: handbook-articles" in other.json()["detail"]


def test_source_of_another_tenant_is_unknown(signalled, client, keys):
    assert signal(client, "theirs", keys["push"]).status_code == 404
    assert signal(client, ARTICLES, keys["acme"]).status_code == 404
    assert signal(client, "theirs", keys["acme"]).status_code == 202
    assert list(read(signalled)) == ["theirs"]


def test_webhook_of_github_needs_no_key(signalled, client, keys):
    del keys
    answer = signal(client, "code", content=PUSHED, headers=sign(PUSHED))
    assert (answer.status_code, answer.json()["reason"]) == (202, "github")
    assert signal(client, "theirs", content=PUSHED, headers=sign(PUSHED)).status_code == 202
    assert {one.reason for one in read(signalled).values()} == {"github"}


def test_replayed_webhook_is_harmless(signalled, client):
    for _ in range(3):
        assert signal(client, "code", content=PUSHED, headers=sign(PUSHED)).status_code == 202
    assert list(read(signalled)) == ["code"]


@pytest.mark.parametrize("has_keys", [False, True])
def test_wrong_signature_is_refused(signalled, client, request, has_keys):
    if has_keys:
        request.getfixturevalue("keys")
    wrong = {
        "another secret": ("code", PUSHED, sign(PUSHED, "guessed")),
        "another body": ("code", b"{}", sign(PUSHED)),
        "no digest": ("code", PUSHED, {"x-hub-signature-256": ""}),
        "another sender": ("code", PUSHED, {"x-gitlab-token": SECRET}),
        "no webhook": ("inbox", PUSHED, sign(PUSHED)),
        "no source": ("nowhere", PUSHED, sign(PUSHED)),
        "token": ("lab", PUSHED, {"x-gitlab-token": "guessed"}),
        "bearer": ("bucket", PUSHED, {"authorization": "Bearer guessed"}),
    }
    answers = {
        name: signal(client, source, content=body, headers=headers)
        for name, (source, body, headers) in wrong.items()
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(
        wrong, 401
    )
    problems = {(one.json()["type"], one.json()["detail"]) for one in answers.values()}
    ((kind, detail),) = problems  # so no answer reveals which sources exist
    assert kind == "urn:ragline:problem:webhook-signature"
    assert "compare the secret of the sender" in detail
    assert {"www-authenticate"} <= set(answers["token"].headers)
    assert SECRET not in detail
    assert read(signalled) == {}


def test_webhooks_of_gitlab_and_of_a_storage(signalled, client, keys):
    del keys
    token = {"x-gitlab-token": SECRET, "x-gitlab-event": "Push Hook"}
    assert signal(client, "lab", content=PUSHED, headers=token).json()["reason"] == "gitlab"
    record = {"s3": {"bucket": {"name": "library"}, "object": {"key": "manuals/a+b.md"}}}
    answer = signal(client, "bucket", SECRET, json={"Records": [record]})
    assert (answer.json()["reason"], answer.json()["document_ids"]) == ("s3", ["a b.md"])
    assert read(signalled)["bucket"].document_ids == ("a b.md",)


def test_storage_can_use_a_key_as_its_token(signalled, client, keys):
    assert signal(client, "bucket", keys["push"]).json()["reason"] == "request"
    assert signal(client, "bucket", keys["search"]).status_code == 403
    assert read(signalled)["bucket"].document_ids is None


def test_event_that_changes_nothing_is_not_recorded(signalled, client):
    ping = {**sign(b"{}"), "x-github-event": "ping"}
    other = json.dumps({"ref": "refs/heads/topic"}).encode()
    for body, headers in ((b"{}", ping), (other, sign(other))):
        answer = signal(client, "code", content=body, headers=headers)
        assert answer.status_code == 202
        assert (answer.json()["is_recorded"], answer.json()["signalled_at"]) == (False, None)
    assert read(signalled) == {}


def test_missing_secret_is_a_fault_of_the_service(signalled, client, caplog):
    answer = signal(client, "unset", content=PUSHED, headers=sign(PUSHED, ""))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "60"
    assert answer.json()["type"] == "urn:ragline:problem:webhook-not-ready"
    assert "UNSET_SECRET" not in answer.text
    assert "UNSET_SECRET is not set" in str([vars(record) for record in caplog.records])
    assert read(signalled) == {}
