"""The endpoints of the service as methods. Each failure raises ServiceProblemError."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote
from uuid import UUID

import httpx2
from pydantic import TypeAdapter

from ragline.errors import ServiceProblemError
from ragline.search.messages import Mode, SearchAnswer

DEFAULT_TIMEOUT_S = 30.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class RankedText:
    """A reranked text: its `index` in the list that was sent, and its score in 0…1."""

    index: int
    relevance_score: float


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection and its live index; `generation` is None before the first sync."""

    name: str
    embedding_model: str | None
    generation: int | None
    documents: int
    entries: int
    sources: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class CollectionFreshness:
    """Whether each source of a collection is fresh, and the state of each source."""

    collection: str
    is_fresh: bool
    sources: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Ranking:
    results: list[RankedText]


@dataclass(frozen=True, slots=True)
class _Collections:
    collections: list[Collection]


class ServiceClient:
    """A client of one service. Safe to use from several threads; close it, or use it in `with`.

    Each method raises ServiceProblemError if the service cannot be reached, refuses the request or
    fails. Requests are not repeated.
    """

    def __init__(
        self,
        url: str = "http://localhost:8000",
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`headers` are sent with each request, for example for a proxy."""
        self._http = httpx2.Client(base_url=url, timeout=timeout_s, headers=headers)

    def search(
        self,
        collection: str,
        query: str | Sequence[str],
        *,
        top_k: int = 10,
        mode: Mode = "hybrid",
        rerank: bool | str = False,
        principals: Sequence[str] = (),
        **more: Any,
    ) -> SearchAnswer:
        """The hits of a search, best first.

        `more` are further fields of `POST /v1/search`, such as `filter`.
        """
        body = {
            "collection": collection,
            "query": query if isinstance(query, str) else list(query),
            "top_k": top_k,
            "mode": mode,
            "rerank": rerank,
            "principals": list(principals),
            **more,
        }
        return self._request("POST", "/v1/search", SearchAnswer, body)

    def rerank(
        self, query: str, texts: Sequence[str], *, top_n: int | None = None
    ) -> list[RankedText]:
        """Rank texts by their relevance to a query, best first; all, or the first `top_n`."""
        body: dict[str, Any] = {"query": query, "documents": list(texts), "top_n": top_n}
        return self._request("POST", "/v1/rerank", _Ranking, body).results

    def give_feedback(self, request_id: UUID, document_id: str, *, useful: bool) -> None:
        """Report whether a hit was useful. A later report about the same document replaces it."""
        body = {"request_id": str(request_id), "document_id": document_id, "useful": useful}
        self._request("POST", "/v1/feedback", dict[str, Any], body)

    def freshness(self, collection: str) -> CollectionFreshness:
        """The freshness of a collection. `sources` is as in `GET …/freshness`."""
        path = f"/v1/collections/{quote(collection, safe='')}/freshness"
        return self._request("GET", path, CollectionFreshness)

    def collections(self) -> list[Collection]:
        """List all collections, sorted by name."""
        return self._request("GET", "/v1/collections", _Collections).collections

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _request(
        self, method: str, path: str, shape: type[Answer], body: dict[str, Any] | None = None
    ) -> Answer:
        try:
            response = self._http.request(method, path, json=body)
        except httpx2.HTTPError as error:
            raise ServiceProblemError(
                f"no answer from {self._http.base_url}: {error or type(error).__name__}"
            ) from error
        if not response.is_success:
            raise _read_problem(response)
        return TypeAdapter(shape).validate_json(response.content)


def _read_problem(response: httpx2.Response) -> ServiceProblemError:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "detail" not in problem:
        # A proxy in front of the service answers in its own format.
        message = f"{response.status_code} {response.reason_phrase} from {response.url}"
        return ServiceProblemError(message, status=response.status_code)
    return ServiceProblemError(str(problem["detail"]), status=response.status_code, problem=problem)
