"""The client of the service. It has one method for each endpoint that it supports.

Each failure raises ServiceProblemError.
"""

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
    """A reranked text.

    `index` is its position in the list that was sent, from 0. `relevance_score` is between 0 and 1.
    """

    index: int
    relevance_score: float


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection and its live generation.

    `generation` is None before the first promotion.
    """

    name: str
    embedding_model: str | None
    generation: int | None
    documents: int
    entries: int
    sources: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class CollectionFreshness:
    """The freshness of a collection.

    `is_fresh` says whether all of its sources are fresh. `sources` has the state of each source.
    """

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
    """A client of one service. Several threads can use it.

    Call `close` after the last request, or use the client in a `with` block. Each method raises
    ServiceProblemError if the service cannot be reached, refuses the request or fails. The client
    does not repeat a request.
    """

    def __init__(
        self,
        url: str = "http://localhost:8000",
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Create a client of the service at `url`.

        `timeout_s` limits each wait for the service. `headers` are sent with each request, for
        example a key in the header `Authorization`.
        """
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
        """Search a collection. The hits are in the answer, best first.

        `query` can be a list of texts that ask the same question. `more` contains further fields of
        the request `POST /v1/search`, such as `filter`.
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
        """Rank texts by their relevance to a query, best first.

        With `top_n`, the result has only the first `top_n` texts.
        """
        body: dict[str, Any] = {"query": query, "documents": list(texts), "top_n": top_n}
        return self._request("POST", "/v1/rerank", _Ranking, body).results

    def give_feedback(self, request_id: UUID, document_id: str, *, useful: bool) -> None:
        """Report whether a hit was useful.

        A later report about the same request and document replaces this report.
        """
        body = {"request_id": str(request_id), "document_id": document_id, "useful": useful}
        self._request("POST", "/v1/feedback", dict[str, Any], body)

    def freshness(self, collection: str) -> CollectionFreshness:
        """The freshness of a collection.

        Each of its `sources` has the fields that `GET /v1/collections/{collection}/freshness`
        returns.
        """
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
        # This is not the format of the service. A proxy in front of the service has answered.
        message = f"{response.status_code} {response.reason_phrase} from {response.url}"
        return ServiceProblemError(message, status=response.status_code)
    return ServiceProblemError(str(problem["detail"]), status=response.status_code, problem=problem)
