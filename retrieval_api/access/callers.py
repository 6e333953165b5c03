"""Who asks: the key of a request, what it permits, and the walls around its tenant.

Without any key in the database the service answers callers of this machine alone, who may do
everything. With one, every request needs a key. What belongs to another tenant is answered like
what does not exist.
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
    """One request's caller. `key` None: somebody on this machine, while no key is in use."""

    service: Service
    key: Key | None

    @property
    def tenant(self) -> str | None:
        return None if self.key is None else self.key.tenant

    @property
    def database(self) -> Database:
        """The database as the caller's tenant may see it."""
        database = self.service.database
        return database if self.tenant is None else database.for_tenant(self.tenant)

    def is_permitted(self, scope: Scope) -> bool:
        """Whether the caller may do what a scope is for."""
        return self.key is None or scope in self.key.scopes

    def list_collections(self) -> list[CollectionSettings]:
        """The configured collections that the caller may name, in order of name."""
        settings = self.service.configuration.collections
        return sorted(filter(self.can_access, settings), key=lambda one: one.name)

    def can_access(self, settings: CollectionSettings) -> bool:
        """Whether a collection exists for the caller."""
        if self.key is None:
            return True
        is_named = self.key.collections is None or settings.name in self.key.collections
        return is_named and settings.tenant == self.key.tenant

    def collection(self, name: str) -> CollectionSettings:
        """The settings of a collection that the caller may name.

        Raises:
            UnknownCollectionError: there is none, for all that the caller may know.
        """
        visible = self.list_collections()
        for settings in visible:
            if settings.name == name:
                return settings
        known = ", ".join(settings.name for settings in visible) or "none"
        raise UnknownCollectionError(f"unknown collection {name!r}; known: {known}")

    def authorize_search(self, question: SearchRequest) -> SearchRequest:
        """A question as this caller may ask it.

        Raises:
            UnknownCollectionError: the collection does not exist for the caller.
            ForbiddenError: it names principals that the key does not have.
        """
        if self.key is None:
            return question
        self.collection(question.collection)
        principals = self.restrict_principals(question.principals or ())
        return replace(question, principals=principals, tenant=self.key.tenant)

    def make_viewer(self, principals: Sequence[str]) -> Viewer:
        """The caller as somebody who looks behind hits.

        Raises:
            ForbiddenError: as for `ask`.
        """
        if self.key is None:
            return Viewer(tuple(principals))
        return Viewer(self.restrict_principals(principals), self.key.tenant, self.key.collections)

    def restrict_principals(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The principals of a search: those of the key, or some of them, and never others.

        Raises:
            ForbiddenError: the request names one that the key does not have.
        """
        if self.key is None or ANY_PRINCIPAL in self.key.principals:
            return tuple(asked)
        if not asked:
            return self.key.principals
        others = sorted(set(asked) - set(self.key.principals))
        if others:
            raise ForbiddenError(f"the key does not speak for {', '.join(map(repr, others))}")
        return tuple(asked)


def require_scope(scope: Scope) -> Callable[..., Awaitable[Caller]]:
    """A dependency: the caller of a request, who is permitted `scope`."""

    async def identify(request: Request, service: OpenService) -> Caller:
        token = read_token(request)
        if service.is_has_keys_cached and not (token and is_key(token)):
            return identify_caller(request, service, token, scope)
        return await run_in_threadpool(identify_caller, request, service, token, scope)

    return identify


def identify_caller(request: Request, service: Service, token: str | None, scope: Scope) -> Caller:
    """The caller of a request that carries a token, or none; counts against the key's rate.

    Raises:
        UnauthorizedError: there are keys, and the token is none of them.
        ForbiddenError: the key has not that scope; or there is no key and the caller is elsewhere.
        RateLimitError: the key has asked too often.
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
    """The key that a request carries, as a bearer token or in X-API-Key."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.headers.get("x-api-key")


def is_local(request: Request) -> bool:
    """Whether a request comes from this machine and not by way of a proxy on it."""
    if any(name in request.headers for name in PROXY_HEADERS):
        return False
    host = request.client.host if request.client else ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _require_local_caller(request: Request, service: Service, token: str | None) -> None:
    """Let pass who needs no key: a caller of this machine, while there are no keys.

    A token that is none of ours does not matter then: some clients cannot do without one.
    """
    if service.has_keys():
        told = "no key" if token is None else "a key that is wrong, expired or revoked"
        raise UnauthorizedError(
            f"the request has {told}; send one as Authorization: Bearer rag_… "
            "(ragline keys create makes one)"
        )
    if not is_local(request):
        raise ForbiddenError(
            "no key is configured, so this machine alone is answered; make one with "
            "`ragline keys create` and send it as Authorization: Bearer rag_…"
        )


SearchCaller = Annotated[Caller, Depends(require_scope("search"))]
PushCaller = Annotated[Caller, Depends(require_scope("push"))]
FeedbackCaller = Annotated[Caller, Depends(require_scope("feedback"))]
AdminCaller = Annotated[Caller, Depends(require_scope("admin"))]
