"""The caller of a request: its key, its scopes, and the collections of its tenant.

While the database contains no key, the service answers only callers on this machine, and these have
all scopes. As soon as one key exists, every request needs a key. Collections and documents of
another tenant are treated as if they did not exist.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from ragline.access.keys import ANY_PRINCIPAL, Key, Scope, find_key, is_key
from ragline.configuration import CollectionSettings
from ragline.errors import ForbiddenError, UnauthorizedError, UnknownCollectionError
from ragline.search.inspection import Viewer
from ragline.search.messages import SearchRequest
from ragline.storage.database import Database
from retrieval_api.service import OpenService, Service

PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip")


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of one request. `key` is None for a local caller while no key exists."""

    service: Service
    key: Key | None

    @property
    def tenant(self) -> str | None:
        return None if self.key is None else self.key.tenant

    @property
    def database(self) -> Database:
        """The database, restricted to the rows of the caller's tenant."""
        database = self.service.database
        return database if self.tenant is None else database.for_tenant(self.tenant)

    def is_permitted(self, scope: Scope) -> bool:
        """Whether the caller's key has this scope."""
        return self.key is None or scope in self.key.scopes

    def list_collections(self) -> list[CollectionSettings]:
        """List the configured collections that the caller can access, sorted by name."""
        settings = self.service.configuration.collections
        return sorted(filter(self.can_access, settings), key=lambda one: one.name)

    def can_access(self, settings: CollectionSettings) -> bool:
        """Whether the caller can access a collection."""
        if self.key is None:
            return True
        is_named = self.key.collections is None or settings.name in self.key.collections
        return is_named and settings.tenant == self.key.tenant

    def collection(self, name: str) -> CollectionSettings:
        """Return the settings of a collection.

        Raises:
            UnknownCollectionError: the collection does not exist, or the caller cannot access it.
        """
        visible = self.list_collections()
        for settings in visible:
            if settings.name == name:
                return settings
        known = ", ".join(settings.name for settings in visible) or "none"
        raise UnknownCollectionError(f"unknown collection {name!r}; known: {known}")

    def authorize_search(self, search: SearchRequest) -> SearchRequest:
        """Return the search with the tenant and the principals of the caller.

        Raises:
            UnknownCollectionError: the collection does not exist for the caller.
            ForbiddenError: the search names principals that the key does not have.
        """
        if self.key is None:
            return search
        self.collection(search.collection)
        principals = self.restrict_principals(search.principals or ())
        return replace(search, principals=principals, tenant=self.key.tenant)

    def make_viewer(self, principals: Sequence[str]) -> Viewer:
        """Return the `Viewer` that decides which documents and receipts this caller can read.

        Raises:
            ForbiddenError: `principals` contains a principal that the key does not have.
        """
        if self.key is None:
            return Viewer(tuple(principals))
        return Viewer(self.restrict_principals(principals), self.key.tenant, self.key.collections)

    def restrict_principals(self, requested: Sequence[str]) -> tuple[str, ...]:
        """Return the requested principals. If none is requested, return those of the key.

        Raises:
            ForbiddenError: the key does not have a requested principal.
        """
        if self.key is None or ANY_PRINCIPAL in self.key.principals:
            return tuple(requested)
        if not requested:
            return self.key.principals
        others = sorted(set(requested) - set(self.key.principals))
        if others:
            names = ", ".join(map(repr, others))
            raise ForbiddenError(f"the key may not act as principal {names}")
        return tuple(requested)


def require_scope(scope: Scope) -> Callable[..., Awaitable[Caller]]:
    """Make a dependency that returns the caller, and that requires the scope `scope`."""

    async def identify(request: Request, service: OpenService) -> Caller:
        token = read_token(request)
        if service.is_has_keys_cached and not (token and is_key(token)):
            return identify_caller(request, service, token, scope)
        return await run_in_threadpool(identify_caller, request, service, token, scope)

    return identify


def identify_caller(request: Request, service: Service, token: str | None, scope: Scope) -> Caller:
    """Return the caller of a request. The request counts for the rate limit of the caller's key.

    `token` is None if the request has no token.

    Raises:
        UnauthorizedError: a key exists, and the request has no valid key.
        ForbiddenError: the key does not have the scope, or no key exists and the caller is not on
            this machine.
        RateLimitError: the key sent too many requests.
    """
    key = None if token is None else find_key(service.database, token)
    if key is None:
        _require_local_caller(request, service, token)
        return Caller(service, None)
    request.state.tenant = key.tenant
    request.state.logged |= {"key": key.public_id, "tenant": key.tenant}
    if scope not in key.scopes:
        raise ForbiddenError(f"the key has no scope {scope}; it has: {', '.join(key.scopes)}")
    service.rate_limits.take(key)
    return Caller(service, key)


def read_token(request: Request) -> str | None:
    """Return the token in the header Authorization (bearer) or X-API-Key of a request, or None."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.headers.get("x-api-key")


def is_local(request: Request) -> bool:
    """Whether a request comes from this machine, and not through a proxy on this machine."""
    if any(name in request.headers for name in PROXY_HEADERS):
        return False
    host = request.client.host if request.client else ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _require_local_caller(request: Request, service: Service, token: str | None) -> None:
    """Accept only a local caller while no key exists.

    While no key exists, an unknown token is ignored, because some clients always send a token.
    """
    if service.has_keys():
        reason = "no key" if token is None else "a key that is wrong, expired or revoked"
        raise UnauthorizedError(
            f"the request has {reason}; send one as Authorization: Bearer rag_… "
            "(`ragline keys create` creates one)"
        )
    if not is_local(request):
        raise ForbiddenError(
            "no key exists, so only callers on this machine are answered; create a key with "
            "`ragline keys create` and send it as Authorization: Bearer rag_…"
        )


SearchCaller = Annotated[Caller, Depends(require_scope("search"))]
PushCaller = Annotated[Caller, Depends(require_scope("push"))]
FeedbackCaller = Annotated[Caller, Depends(require_scope("feedback"))]
JudgeCaller = Annotated[Caller, Depends(require_scope("judge"))]
ApproveCaller = Annotated[Caller, Depends(require_scope("approve"))]
AdminCaller = Annotated[Caller, Depends(require_scope("admin"))]
