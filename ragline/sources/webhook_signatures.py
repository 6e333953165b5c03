"""Checks that a webhook comes from its configured sender.

GitHub signs the body with the secret. GitLab sends the secret itself, or signs the body with a
signing token. Storages with the API of S3, such as MinIO, send the secret as a bearer token. The
page `docs/sources.md` names the documentation of the senders. A repeated webhook only repeats a
signal, so times and ids of webhooks are not checked.

`webhook_events` reads what has changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping

from ragline.errors import WebhookSecretError, WebhookSignatureError
from ragline.sources.settings import SourceSettings, WebhookSettings

GITHUB_SIGNATURE = "x-hub-signature-256"
GITLAB_HEADER = "x-gitlab-token"
# GitLab's signing tokens follow the specification Standard Webhooks 1.0.
STANDARD_SIGNATURE = "webhook-signature"
STANDARD_ID = "webhook-id"
STANDARD_TIME = "webhook-timestamp"
SIGNING_PREFIX = "whsec_"
SIGNATURE_HEADERS = (GITHUB_SIGNATURE, GITLAB_HEADER, STANDARD_SIGNATURE)


def has_signature(headers: Mapping[str, str]) -> bool:
    """Whether a request has a header that only a webhook of GitHub or GitLab has.

    The names of `headers` are in lower case, or the mapping ignores case.
    """
    return any(name in headers for name in SIGNATURE_HEADERS)


def read_secret(source: SourceSettings, webhook: WebhookSettings) -> str:
    """Read the secret of a source's webhook from the environment.

    Raises:
        WebhookSecretError: the environment variable is not set, or it is empty.
    """
    secret = os.environ.get(webhook.secret, "")
    if not secret:
        raise WebhookSecretError(
            f"source {source.name}: webhook: the environment variable {webhook.secret} is not set; "
            "set it for the service"
        )
    return secret


def check_signature(
    webhook: WebhookSettings, secret: str, headers: Mapping[str, str], body: bytes
) -> None:
    """Check the signature or the token of a webhook in constant time.

    `headers` has the headers of the request as in `has_signature`, decoded as latin-1. `body` has
    the bytes as they were received.

    Raises:
        WebhookSignatureError: the signature is wrong or missing.
    """
    if webhook.sender == "github":
        is_right = _is_signed_by_github(secret, headers, body)
    elif webhook.sender == "s3":
        scheme, _, token = headers.get("authorization", "").partition(" ")
        is_right = scheme.lower() == "bearer" and _is_equal(token.strip(), secret)
    elif secret.startswith(SIGNING_PREFIX):
        is_right = _has_standard_signature(secret, headers, body)
    else:
        is_right = _is_equal(headers.get(GITLAB_HEADER, ""), secret)
    if not is_right:
        raise WebhookSignatureError(describe_refusal())


def describe_refusal() -> str:
    """Return the message of a refused webhook.

    It is the same for a source without a webhook, so it does not reveal which sources exist.
    """
    return (
        "the signature or the token of the webhook is wrong, or the source has no webhook of this "
        "sender; compare the secret of the sender with the environment variable that `webhook` of "
        "the source names"
    )


def _is_signed_by_github(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return _is_equal(headers.get(GITHUB_SIGNATURE, ""), f"sha256={digest}")


def _has_standard_signature(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the signatures in the header is right. Several are separated by spaces."""
    try:
        key = base64.b64decode(secret.removeprefix(SIGNING_PREFIX), validate=True)
    except binascii.Error:
        return False
    signed = f"{headers.get(STANDARD_ID, '')}.{headers.get(STANDARD_TIME, '')}.".encode("latin-1")
    digest = hmac.new(key, signed + body, hashlib.sha256).digest()
    wanted = f"v1,{base64.b64encode(digest).decode()}"
    given = headers.get(STANDARD_SIGNATURE, "").split()
    return any(_is_equal(signature, wanted) for signature in given)


def _is_equal(header: str, wanted: str) -> bool:
    """Compare a header with a text in constant time. Headers are decoded as latin-1."""
    return hmac.compare_digest(header.encode("latin-1", "replace"), wanted.encode())
