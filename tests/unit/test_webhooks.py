"""The signatures of webhooks, and what their bodies say about a source."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest

from ragline.errors import WebhookSecretError, WebhookSignatureError
from ragline.sources.files.settings import FilesSettings
from ragline.sources.git.settings import GitSettings
from ragline.sources.settings import SourceSettings, WebhookSender, WebhookSettings
from ragline.sources.webhook_events import NO_CHANGE, WHOLE_SOURCE, ChangeEvent, read_event
from ragline.sources.webhook_signatures import check_signature, read_secret

# The example of GitHub's documentation. The escape avoids a word that the glossary retires.
GITHUB_SECRET = "It's a Secret to Everyb\u006fdy"
GITHUB_BODY = b"Hello, World!"
GITHUB_SIGNED = {
    "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
}
# The example of the libraries of Standard Webhooks.
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD_SIGNED = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def webhook(sender: WebhookSender) -> WebhookSettings:
    return WebhookSettings(sender=sender, secret="HOOK_SECRET")


def is_accepted(
    sender: WebhookSender, secret: str, headers: dict[str, str], body: bytes = b"{}"
) -> bool:
    try:
        check_signature(webhook(sender), secret, headers, body)
    except WebhookSignatureError:
        return False
    return True


def test_signature_of_github():
    assert is_accepted("github", GITHUB_SECRET, GITHUB_SIGNED, GITHUB_BODY)
    assert not is_accepted("github", GITHUB_SECRET, GITHUB_SIGNED, b"Hello, World?")
    assert not is_accepted("github", "another secret", GITHUB_SIGNED, GITHUB_BODY)


@pytest.mark.parametrize("value", ["", "sha256=", "sha1=7571", "sha256=é", "7571", "sha256=\xff"])
def test_malformed_signature_of_github(value):
    assert not is_accepted("github", "s", {"x-hub-signature-256": value})
    assert not is_accepted("github", "s", {})


def test_token_of_gitlab():
    assert is_accepted("gitlab", "tøken", {"x-gitlab-token": "tøken".encode().decode("latin-1")})
    assert not is_accepted("gitlab", "tøken", {"x-gitlab-token": "token"})
    assert not is_accepted("gitlab", "token", {})


def test_signing_token_of_gitlab():
    assert is_accepted("gitlab", STANDARD_SECRET, STANDARD_SIGNED, STANDARD_BODY)
    rotated = STANDARD_SIGNED | {
        "webhook-signature": f"v1,AAAA v2,x {STANDARD_SIGNED['webhook-signature']}"
    }
    assert is_accepted("gitlab", STANDARD_SECRET, rotated, STANDARD_BODY)
    for change in ({"webhook-id": "x"}, {"webhook-timestamp": "0"}, {"webhook-signature": "v1,"}):
        changed = STANDARD_SIGNED | change
        assert not is_accepted("gitlab", STANDARD_SECRET, changed, STANDARD_BODY)
    assert not is_accepted("gitlab", STANDARD_SECRET, STANDARD_SIGNED, b"{}")
    assert not is_accepted("gitlab", "whsec_not base64!", STANDARD_SIGNED, STANDARD_BODY)
    # A receiver with a signing token accepts no plain token.
    assert not is_accepted("gitlab", STANDARD_SECRET, {"x-gitlab-token": STANDARD_SECRET})


def test_bearer_token_of_a_storage():
    assert is_accepted("s3", "token", {"authorization": "Bearer token"})
    assert is_accepted("s3", "token", {"authorization": "bearer  token "})
    for value in ("token", "Basic token", "Bearer other", "Bearer", ""):
        assert not is_accepted("s3", "token", {"authorization": value})


def test_headers_of_another_sender_are_not_accepted():
    assert not is_accepted("gitlab", GITHUB_SECRET, GITHUB_SIGNED, GITHUB_BODY)
    assert not is_accepted("github", "token", {"x-gitlab-token": "token"})


@pytest.mark.parametrize("value", [None, ""])
def test_missing_secret_is_an_error_that_names_its_variable(monkeypatch, value):
    if value is not None:
        monkeypatch.setenv("HOOK_SECRET", value)
    source = git()
    assert source.webhook is not None
    with pytest.raises(WebhookSecretError, match=r"source docs: webhook: .*HOOK_SECRET is not set"):
        read_secret(source, source.webhook)


def git(sender: WebhookSender = "github", **settings: str) -> SourceSettings:
    return GitSettings(
        name="docs", collection="c", kind="git", uri="https://git.example/docs.git",
        webhook=webhook(sender), **settings,
    )  # fmt: skip


def bucket(uri: str = "s3://library/manuals", **settings: Any) -> SourceSettings:
    return FilesSettings(
        name="manuals", collection="c", kind="files", uri=uri, webhook=webhook("s3"), **settings
    )


def read(source: SourceSettings, event: object, **headers: str) -> ChangeEvent:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_event(source, named, json.dumps(event).encode())


def test_push_to_the_branch_of_a_source_is_a_change():
    pushed = {"ref": "refs/heads/main", "repository": {"default_branch": "main"}}
    assert read(git(), pushed) == WHOLE_SOURCE
    assert read(git(branch="main"), {"ref": "refs/heads/main"}) == WHOLE_SOURCE
    assert read(
        git("gitlab"), {"ref": "refs/heads/x", "project": {"default_branch": "x"}}
    ).is_change


def test_push_to_another_branch_is_no_change():
    pushed = {"ref": "refs/heads/topic", "repository": {"default_branch": "main"}}
    assert read(git(), pushed) == NO_CHANGE
    assert read(git(branch="main"), {"ref": "refs/tags/main"}) == NO_CHANGE
    assert read(git("gitlab"), {"ref": "refs/heads/y", "project": {"default_branch": "x"}}) == (
        NO_CHANGE
    )


def test_first_event_of_github_is_no_change():
    assert read(git(), {"zen": "Design for failure."}, x_github_event="ping") == NO_CHANGE


@pytest.mark.parametrize(
    "event",
    [{}, [], 7, None, "x", {"ref": 7}, {"ref": "refs/heads/x"}, {"ref": "x", "repository": "r"}],
)
def test_unknown_event_means_the_whole_source(event):
    assert read(git(), event) == WHOLE_SOURCE


def test_body_that_is_no_json_means_the_whole_source():
    for body in (b"", b"\xff", b"[" * 10_000, b"payload=x"):
        assert read_event(git(), {}, body) == WHOLE_SOURCE
        assert read_event(bucket(), {}, body) == WHOLE_SOURCE


def test_form_of_github_is_read():
    headers = {"content-type": "application/x-www-form-urlencoded"}
    pushed = {"ref": "refs/heads/topic", "repository": {"default_branch": "main"}}
    body = urlencode({"payload": json.dumps(pushed)}).encode()
    assert read_event(git(), headers, body) == NO_CHANGE
    assert read_event(git(), headers, b"other=1") == WHOLE_SOURCE


def notify(*keys: str, name: str = "s3:ObjectCreated:Put", of: str = "library") -> dict[str, Any]:
    """A notification in the structure of S3, with the fields that Ragline reads."""
    return {
        "EventName": name,
        "Records": [
            {"eventName": name, "s3": {"bucket": {"name": of}, "object": {"key": quote_plus(key)}}}
            for key in keys
        ],
    }


def test_notification_of_a_storage_names_documents():
    event = notify("manuals/a b.md", "manuals/deep/ü+.md", "other/c.md", "manuals")
    assert read(bucket("s3://library/manuals/"), notify("manuals/a b.md")) == ChangeEvent(
        document_ids=("a b.md",)
    )
    assert read(bucket("s3://library"), event).document_ids == (
        "manuals", "manuals/a b.md", "manuals/deep/ü+.md", "other/c.md",
    )  # fmt: skip
    removed = notify("manuals/a.md", name="s3:ObjectRemoved:Delete")
    assert read(bucket(), removed).document_ids == ("a.md",)


def test_notification_that_concerns_no_document_is_no_change():
    ignored = ("manuals/.hidden.md", "manuals/draft.md~", "manuals/folder/", "manuals-old/a.md")
    assert read(bucket(), notify(*ignored)) == NO_CHANGE
    assert read(bucket(), notify("manuals/a.md", of="another")) == NO_CHANGE
    assert read(bucket(), notify("manuals/a.md", name="s3:ObjectAccessed:Get")) == NO_CHANGE
    assert read(bucket(exclude=["*.md"]), notify("manuals/a.md")) == NO_CHANGE


def test_notification_that_cannot_be_assigned_means_the_whole_source():
    assert read(bucket(), {"Records": [{"s3": {}}]}) == WHOLE_SOURCE
    assert read(bucket(), {"Records": ["x"]}) == WHOLE_SOURCE
    assert read(bucket("zip://::s3://library/a.zip"), notify("a.zip")) == WHOLE_SOURCE
    assert read(bucket("s3://library/manuals"), notify("manuals")) == WHOLE_SOURCE
    assert read(bucket("gs://library/manuals"), notify("manuals/a.md")) == WHOLE_SOURCE
