"""Finds the source of a request that signals a change, and authenticates the request.

A caller has a key with the scope `push`. The sender of a webhook has no key: the signature or the
token of the webhook authenticates it, if the source has a secret for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from starlette.requests import ClientDisconnect

from ragline.access.keys import is_key
from ragline.errors import UnknownSourceError, WebhookSignatureError
from ragline.sources.change_signals import SignalReason
from ragline.sources.settings import SourceSettings
from ragline.sources.webhook_events import ChangeEvent, read_event
from ragline.sources.webhook_signatures import (
    check_signature,
    describe_refusal,
    has_signature,
    read_secret,
)
from ragline.storable_text import clean_value
from ragline.storage.database import Database
from retrieval_api.access.callers import Caller, read_token, require_scope
from retrieval_api.messages.source_changes import ChangedDocuments
from retrieval_api.route_dependencies.pushed_bodies import read_json
from retrieval_api.service import OpenService, Service


@dataclass(frozen=True, slots=True)
class SignalledChange:
    """A change that an authenticated request signals. `database` is that of its tenant."""

    source: SourceSettings
    database: Database
    reason: SignalReason
    event: ChangeEvent


def is_webhook(request: Request, service: Service) -> bool:
    """Whether a request is authenticated as a webhook, and not by a key.

    It has a header of GitHub or GitLab. Or its bearer token is no key, and the source has a webhook
    that sends a bearer token.
    """
    if has_signature(request.headers):
        return True
    source = _find_configured(service, request.path_params.get("source", ""))
    token = read_token(request)
    sends_token = source is not None and source.webhook and source.webhook.sender == "s3"
    return bool(sends_token and token and not is_key(token))


WebhookOrCaller = Annotated[Caller | None, Depends(require_scope("push", unless=is_webhook))]


async def _read_body(request: Request, _caller: WebhookOrCaller) -> bytes:
    """Read the body. This happens only after the key of a caller was found."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise HTTPException(400) from None


def _find_change(
    source: str,
    request: Request,
    service: OpenService,
    caller: WebhookOrCaller,
    body: Annotated[bytes, Depends(_read_body)],
) -> SignalledChange:
    if caller is None:
        return _read_webhook(_find_configured(service, source), request, service, body)
    found = _find_accessible(caller, source)
    named = read_json(body, ChangedDocuments).document_ids if body.strip() else None
    ids = None if named is None else tuple(sorted({clean_value(one) for one in named}))
    return SignalledChange(found, caller.database, "request", ChangeEvent(document_ids=ids))


Signalled = Annotated[SignalledChange, Depends(_find_change)]


def _read_webhook(
    source: SourceSettings | None, request: Request, service: Service, body: bytes
) -> SignalledChange:
    """Check the signature of a webhook, and read its event.

    Raises:
        WebhookSignatureError: the signature is wrong, or the source has no webhook.
        WebhookSecretError: the service does not have the secret.
    """
    if source is None or source.webhook is None:
        raise WebhookSignatureError(describe_refusal())
    check_signature(source.webhook, read_secret(source, source.webhook), request.headers, body)
    tenant = service.configuration.collection(source.collection).tenant
    request.state.tenant = tenant
    request.state.logged |= {"tenant": tenant, "webhook": source.webhook.sender}
    event = read_event(source, request.headers, body)
    return SignalledChange(source, service.database, source.webhook.sender, event)


def _find_configured(service: Service, name: str) -> SourceSettings | None:
    return next((one for one in service.configuration.sources if one.name == name), None)


def _find_accessible(caller: Caller, name: str) -> SourceSettings:
    """Return the settings of a source.

    Raises:
        UnknownSourceError: the source does not exist, or the caller cannot access its collection.
    """
    collections = {settings.name for settings in caller.list_collections()}
    visible = [
        source
        for source in caller.service.configuration.sources
        if source.collection in collections
    ]
    for source in visible:
        if source.name == name:
            return source
    known = ", ".join(sorted(source.name for source in visible)) or "none"
    raise UnknownSourceError(f"unknown source {name!r}; known: {known}")
