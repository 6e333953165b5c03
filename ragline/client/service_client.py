"""The service's endpoints as methods; every failure is one kind of error."""

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
    """One text's place: `index` in the list that was sent, and a score in 0…1, larger first."""

    index: int
    relevance_score: float


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection and what its live index holds; `generation` is None before the first sync."""

    name: str
    embedding_model: str | None
    generation: int | None
    documents: int
    entries: int
    sources: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class CollectionFreshness:
    """Whether every source of a collection is as fresh as declared, and what is known of each."""

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

    Every method raises ServiceProblemError when the service cannot be reached, refuses the
    request or fails on it. Nothing is tried twice.
    """

    def __init__(
        self,
        url: str = "http://localhost:8000",
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`headers` go with every request, for what stands between here and the service."""
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
        """The chunks that answer, best first.

        `more` are other fields of `POST /v1/search`, such as `filter`.
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
        return self._ask("POST", "/v1/search", SearchAnswer, body)

    def rerank(
        self, query: str, texts: Sequence[str], *, top_n: int | None = None
    ) -> list[RankedText]:
        """Texts by relevance to a query, most relevant first; the best `top_n`, or all."""
        body: dict[str, Any] = {"query": query, "documents": list(texts), "top_n": top_n}
        return self._ask("POST", "/v1/rerank", _Ranking, body).results

    def give_feedback(self, request_id: UUID, document_id: str, *, useful: bool) -> None:
        """Say whether a hit of a search was useful; the last word on a document stands."""
        body = {"request_id": str(request_id), "document_id": document_id, "useful": useful}
        self._ask("POST", "/v1/feedback", dict[str, Any], body)

    def freshness(self, collection: str) -> CollectionFreshness:
        """How fresh a collection is; its sources are as `GET …/freshness` tells them."""
        path = f"/v1/collections/{quote(collection, safe='')}/freshness"
        return self._ask("GET", path, CollectionFreshness)

    def collections(self) -> list[Collection]:
        """Every collection, by name."""
        return self._ask("GET", "/v1/collections", _Collections).collections

    def close(self) -> None:
        """Give the connections back."""
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

    def _ask(
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
        # Something between here and the service, such as a proxy, has its own words.
        words = f"{response.status_code} {response.reason_phrase} from {response.url}"
        return ServiceProblemError(words, status=response.status_code)
    return ServiceProblemError(str(problem["detail"]), status=response.status_code, problem=problem)
