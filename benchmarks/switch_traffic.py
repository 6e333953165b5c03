"""Constant searches and writes over HTTP, while generations are switched.

Each search and each write is recorded. `Traffic.list_faults` names those that failed, and answers
that do not come from one generation. `generation_switch` measures with it, and a test checks with
it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

JSON = {"content-type": "application/json"}
TIMEOUT_S = 30.0
# A pushed document is deleted when this many newer ones were pushed.
KEPT_DOCUMENTS = 3


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request. `started` and `ended` are values of `time.monotonic()`."""

    request: str
    started: float
    ended: float
    status: int
    body: dict[str, Any]

    @property
    def generation(self) -> int | None:
        """The generation that answered a search; None for another reply."""
        found = self.body.get("generation")
        return None if found is None else int(found)

    @property
    def documents(self) -> set[str]:
        """The ids of the documents among the hits."""
        return {hit["document_id"] for hit in self.body.get("hits", ())}

    @property
    def is_mixed(self) -> bool:
        """Whether a hit comes from another generation than the answer."""
        found = {hit["receipt"]["generation"] for hit in self.body.get("hits", ())}
        return bool(found - {self.generation})


@dataclass(frozen=True, slots=True)
class Switch:
    """A promotion or a rollback: the call, its return after the commit, and the live generation."""

    called_at: float
    done_at: float
    generation: int


def send(url: str, method: str, body: Mapping[str, Any] | None = None) -> Reply:
    """Send one request and return its reply, also if its status is an error."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, JSON, method=method)  # noqa: S310  our own loopback
    started = monotonic()
    try:
        with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            status, content = answer.status, answer.read()
    except HTTPError as error:
        status, content = error.code, error.read()
    return Reply(method, started, monotonic(), status, json.loads(content or b"{}"))


def search(url: str, **body: Any) -> Reply:
    """Search through the API."""
    return send(f"{url}/v1/search", "POST", body)


@dataclass
class Traffic:
    """Threads that search without a pause, and one that pushes and deletes documents.

    Each item of `searches` is the body of the searches of one thread.
    """

    url: str
    collection: str
    searches: Sequence[Mapping[str, Any]]
    pause_s: float = 0.2
    replies: list[list[Reply]] = field(default_factory=list)
    writes: list[Reply] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    _ended: Event = field(default_factory=Event)
    _threads: list[Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.replies = [[] for _ in self.searches]
        for body, replies in zip(self.searches, self.replies, strict=True):
            self._threads.append(Thread(target=self._search, args=(body, replies)))
        self._threads.append(Thread(target=self._write))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def list_faults(self, switches: Sequence[Switch]) -> Iterator[str]:
        """Describe each failed request and each answer from a wrong generation.

        `switches` begins with the generation that was live at the start.
        """
        yield from (f"{type(error).__name__}: {error}" for error in self.errors)
        for write in self.writes:
            if write.status not in (200, 201, 204):
                yield f"{write.request}: {write.status} {write.body}"
        for body, replies in zip(self.searches, self.replies, strict=True):
            if not replies:
                yield f"{body} was never answered"
            for reply in replies:
                yield from _judge(reply, body.get("min_generation", 0), switches)

    def _search(self, body: Mapping[str, Any], replies: list[Reply]) -> None:
        while not self._ended.is_set():
            try:
                replies.append(search(self.url, collection=self.collection, **body))
            except OSError as error:
                self.errors.append(error)

    def _write(self) -> None:
        path = f"{self.url}/v1/collections/{self.collection}/documents/written"
        number = 0
        while not self._ended.wait(self.pause_s):
            body = {"text": f"Note {number} of the traffic is about the harbour."}
            try:
                self.writes.append(send(f"{path}-{number}", "PUT", body))
                if number >= KEPT_DOCUMENTS:
                    self.writes.append(send(f"{path}-{number - KEPT_DOCUMENTS}", "DELETE"))
            except OSError as error:
                self.errors.append(error)
            number += 1


def _judge(reply: Reply, minimum: int, switches: Sequence[Switch]) -> Iterator[str]:
    """Describe what is wrong with the answer to a search."""
    allowed = find_live(switches, reply.started, reply.ended)
    if reply.status == 409:
        if all(one >= minimum for one in allowed):
            yield f"refused although generation {allowed} was live: {reply.body}"
        return
    if reply.status != 200:
        yield f"search: {reply.status} {reply.body}"
    elif reply.is_mixed or not reply.documents:
        yield f"hits of generation {reply.generation} are mixed or missing: {reply.body}"
    elif reply.generation not in allowed or reply.generation < minimum:
        yield f"answered by generation {reply.generation}, and {allowed} was live"


def find_live(switches: Sequence[Switch], started: float, ended: float) -> set[int]:
    """The generations that could be live in a time, from the switches in their order.

    A switch has taken effect when its call has returned. It can take effect from its call on.
    """
    before = [one.generation for one in switches if one.done_at <= started]
    during = [one.generation for one in switches if one.done_at > started and one.called_at < ended]
    return {*before[-1:], *during}


def wait_for_hit(url: str, document: str, *, is_hit: bool, limit_s: float, **body: Any) -> float:
    """Search until a document is a hit, or no hit any more. Returns the seconds.

    Raises:
        TimeoutError: that was not so within `limit_s`.
    """
    started = monotonic()
    while (document in search(url, **body).documents) != is_hit:
        if monotonic() - started > limit_s:
            raise TimeoutError(f"{document}: a hit is {not is_hit} after {limit_s} s")
        sleep(0.05)
    return monotonic() - started
