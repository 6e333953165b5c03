"""One request after the other to one host: paced, retried, bounded in time and size.

What an answer means is for `site`; redirects are answers here and are not followed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import httpx2
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from ragline.errors import SourceUnavailableError
from ragline.sources.timestamps import read_timestamp
from ragline.sources.web.rate_limit import Clock, Pace
from ragline.sources.web.settings import WebSettings
from ragline.sources.web.urls import normalise_url, origin_of

ACCEPTED = "text/html,application/xhtml+xml,application/pdf,text/*;q=0.9,*/*;q=0.5"
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 30.0
# A server that wants to be left alone for longer is asked again by the next run.
LONGEST_RETRY_AFTER_S = 60.0
# A body may take this many timeouts in all: each wait for bytes may take one.
BODY_TIMEOUTS = 10
# After so many URLs in a row without an answer, the host is asked whether it is there at all.
FAILURES_IN_A_ROW = 10

# How many bytes of an answer are wanted, by its headers.
Limit = Callable[[Mapping[str, str]], int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. `body` holds no more than was wanted; `is_cut` when there was more."""

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes = b""
    is_cut: bool = False

    @property
    def is_redirect(self) -> bool:
        return 300 <= self.status < 400 and self.status != 304

    @property
    def target(self) -> str | None:
        """Where a redirect leads; None when that is no web page."""
        return normalise_url(self.headers.get("location", ""), self.url)


class PageFailedError(SourceUnavailableError):
    """One URL has no answer that can be used; the host itself may be well."""


class _NoAnswerError(Exception):
    """A try that may go better the next time, after `after_s` where the server said so."""

    def __init__(
        self, reason: str, after_s: float | None = None, *, is_of_host: bool = False
    ) -> None:
        super().__init__(reason)
        self.after_s = after_s
        self.is_of_host = is_of_host


class PoliteClient:
    """A connection to one origin. Used from one thread; close it by leaving its `with`."""

    def __init__(
        self,
        settings: WebSettings,
        origin: str,
        secrets: Mapping[str, str],
        pace: Pace,
        clock: Clock,
    ) -> None:
        self.origin = origin
        self._pace = pace
        self._clock = clock
        self._timeout_s = settings.timeout.total_seconds()
        self._attempts = settings.attempts
        self._client = httpx2.Client(
            headers={"User-Agent": settings.user_agent, "Accept": ACCEPTED, **secrets},
            timeout=self._timeout_s,
            follow_redirects=False,
        )
        self._entry = settings.entries[-1]
        self._failures = 0
        self._given_up: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def get(self, url: str, limit: Limit, conditions: Mapping[str, str] | None = None) -> Answer:
        """Ask for a URL of the origin, with headers that make the request conditional.

        Raises:
            PageFailedError: no answer, or 429 or 5xx, after all attempts.
            SourceUnavailableError: the same, and the host does not answer at all.
        """
        if origin_of(url) != self.origin:
            raise ValueError(f"{url} is not on {self.origin}")
        if self._given_up is not None:
            raise SourceUnavailableError(f"{url}: not requested; {self._given_up}")
        try:
            answer = self._retrying()(self._ask, url, limit, conditions or {})
        except _NoAnswerError as error:
            self._note_failure(error)
            if self._given_up is None:
                raise PageFailedError(f"{url}: {error}") from error
            raise SourceUnavailableError(f"{url}: {error}; {self._given_up}") from error
        self._failures = 0
        return answer

    def _retrying(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(_NoAnswerError),
            stop=self._should_stop,
            wait=_backoff,
            sleep=self._clock.sleep,
            reraise=True,
        )

    def _should_stop(self, state: RetryCallState) -> bool:
        after_s = _wished_pause(state) or 0
        # Where many pages in a row fail, trying each of them often costs hours.
        attempts = 1 if self._failures >= FAILURES_IN_A_ROW else self._attempts
        return after_s > LONGEST_RETRY_AFTER_S or stop_after_attempt(attempts)(state)

    def _ask(self, url: str, limit: Limit, conditions: Mapping[str, str]) -> Answer:
        self._pace.wait()
        try:
            with self._client.stream("GET", url, headers=dict(conditions)) as response:
                if response.status_code == 429 or response.status_code >= 500:
                    raise _refusal(response)
                return self._read(url, response, limit)
        except httpx2.TimeoutException as error:
            raise _NoAnswerError(f"no answer within {self._timeout_s:g} s") from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise _NoAnswerError(str(error) or type(error).__name__) from error

    def _read(self, url: str, response: httpx2.Response, limit: Limit) -> Answer:
        if not response.is_success:
            if response.status_code == 304:
                response.read()  # there is nothing in it, and the connection stays usable
            return Answer(url, response.status_code, response.headers)
        wanted = limit(response.headers)
        deadline = self._clock.monotonic() + BODY_TIMEOUTS * self._timeout_s
        body = bytearray()
        if wanted:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > wanted:
                    break
                if self._clock.monotonic() > deadline:
                    raise _NoAnswerError(f"not read whole within {BODY_TIMEOUTS} timeouts")
        is_cut = len(body) > wanted or not wanted
        return Answer(url, response.status_code, response.headers, bytes(body[:wanted]), is_cut)

    def _note_failure(self, error: _NoAnswerError) -> None:
        self._failures += 1
        wants_pause = (error.after_s or 0) > LONGEST_RETRY_AFTER_S
        if wants_pause and (error.is_of_host or not self._is_there()):
            self._given_up = f"the host wants no request for {error.after_s:g} s"
        elif self._failures % FAILURES_IN_A_ROW == 0 and not self._is_there():
            self._given_up = f"the host failed to answer {FAILURES_IN_A_ROW} times in a row"

    def _is_there(self) -> bool:
        """Whether the host answers where the settings begin."""
        try:
            self._ask(self._entry, lambda _: 0, {})
        except _NoAnswerError:
            return False
        return True


def _refusal(response: httpx2.Response) -> _NoAnswerError:
    reason = f"{response.status_code} {response.reason_phrase}".strip()
    after_s = _read_retry_after(response.headers.get("retry-after"))
    return _NoAnswerError(reason, after_s, is_of_host=response.status_code == 429)


def _read_retry_after(value: str | None) -> float | None:
    """Seconds from now; None when the header says nothing that can be read."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    moment = read_timestamp(value)
    return None if moment is None else max((moment - datetime.now(UTC)).total_seconds(), 0)


def _wished_pause(state: RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return error.after_s if isinstance(error, _NoAnswerError) else None


def _backoff(state: RetryCallState) -> float:
    wished = _wished_pause(state)
    growing = FIRST_BACKOFF_S * math.pow(2, state.attempt_number - 1)
    return min(growing, LONGEST_BACKOFF_S) if wished is None else wished
