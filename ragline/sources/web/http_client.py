"""Sends requests to one host, one at a time, with retries.

The rate of requests is limited, and so are the time and the size of a response. Redirects are not
followed: a redirect is returned as a response. `site` interprets the responses.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from types import TracebackType
from typing import Self

import httpx2
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from ragline.errors import SourceUnavailableError
from ragline.sources.timestamps import read_timestamp
from ragline.sources.web.rate_limit import Clock, RateLimit
from ragline.sources.web.settings import WebSettings
from ragline.sources.web.urls import normalise_url, read_origin

ACCEPTED = "text/html,application/xhtml+xml,application/pdf,text/*;q=0.9,*/*;q=0.5"
FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 30.0
# If the header Retry-After asks for a longer pause, the request is not repeated in this run. The
# next run sends it again.
MAX_RETRY_AFTER_S = 60.0
# The maximum time for a body, as a multiple of the timeout. Each wait for bytes can take one
# timeout.
BODY_TIMEOUTS = 10
# After this number of consecutive failed URLs, a request checks whether the host answers at all.
MAX_CONSECUTIVE_FAILURES = 10

# A function that computes the maximum size of a body in bytes from the headers of the response.
Limit = Callable[[Mapping[str, str]], int]


@dataclass(frozen=True, slots=True)
class Response:
    """A response with its body.

    If the body is longer than the limit, `is_truncated` is true, and `body` has the bytes up to the
    limit.
    """

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes = b""
    is_truncated: bool = False

    @property
    def is_redirect(self) -> bool:
        return 300 <= self.status < 400 and self.status != 304

    @property
    def target(self) -> str | None:
        """The URL that a redirect names, or None if it is not the URL of a web page."""
        return normalise_url(self.headers.get("location", ""), self.url)


class PageFailedError(SourceUnavailableError):
    """One URL has no usable response. Other URLs of the host can have one."""


class _NoResponseError(Exception):
    """A failed attempt that can be repeated.

    `after_s` is the pause that the server asks for, or None. `concerns_host` says that the server
    refuses all requests (status 429).
    """

    def __init__(
        self, reason: str, after_s: float | None = None, *, concerns_host: bool = False
    ) -> None:
        super().__init__(reason)
        self.after_s = after_s
        self.concerns_host = concerns_host


class HttpClient:
    """An HTTP client for one origin. Use it from one thread, in a `with` block."""

    def __init__(
        self,
        settings: WebSettings,
        origin: str,
        secrets: Mapping[str, str],
        rate_limit: RateLimit,
        clock: Clock,
    ) -> None:
        self.origin = origin
        self._rate_limit = rate_limit
        self._clock = clock
        self._timeout_s = settings.timeout.total_seconds()
        self._attempts = settings.attempts
        self._client = httpx2.Client(
            headers={"User-Agent": settings.user_agent, "Accept": ACCEPTED, **secrets},
            timeout=self._timeout_s,
            follow_redirects=False,
            verify=_read_trusted_certificates(),
        )
        self._entry = settings.entries[-1]
        self._failures = 0
        self._host_failure: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def get(self, url: str, limit: Limit, conditions: Mapping[str, str] | None = None) -> Response:
        """Request a URL of the origin. `conditions` are the headers of a conditional request.

        Raises:
            PageFailedError: all attempts failed. There was no response, or its status was 429 or
                5xx.
            SourceUnavailableError: the host does not answer at all, or it asks for a pause that is
                too long. Later calls then raise this error without a request.
            ValueError: the URL is not on the origin.
        """
        if read_origin(url) != self.origin:
            raise ValueError(f"{url} is not on {self.origin}")
        if self._host_failure is not None:
            raise SourceUnavailableError(f"{url}: not requested; {self._host_failure}")
        try:
            response = self._make_retrying()(self._send, url, limit, conditions or {})
        except _NoResponseError as error:
            self._record_failure(error)
            if self._host_failure is None:
                raise PageFailedError(f"{url}: {error}") from error
            raise SourceUnavailableError(f"{url}: {error}; {self._host_failure}") from error
        self._failures = 0
        return response

    def _make_retrying(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(_NoResponseError),
            stop=self._should_stop,
            wait=_backoff,
            sleep=self._clock.sleep,
            reraise=True,
        )

    def _should_stop(self, state: RetryCallState) -> bool:
        after_s = _read_pause(state) or 0
        # After many consecutive failures, a URL is tried once. Repeated attempts would take hours.
        attempts = 1 if self._failures >= MAX_CONSECUTIVE_FAILURES else self._attempts
        return after_s > MAX_RETRY_AFTER_S or stop_after_attempt(attempts)(state)

    def _send(self, url: str, limit: Limit, conditions: Mapping[str, str]) -> Response:
        self._rate_limit.wait()
        try:
            with self._client.stream("GET", url, headers=dict(conditions)) as response:
                if response.status_code == 429 or response.status_code >= 500:
                    raise _make_refusal(response)
                return self._read(url, response, limit)
        except httpx2.TimeoutException as error:
            raise _NoResponseError(f"no response within {self._timeout_s:g} s") from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise _NoResponseError(str(error) or type(error).__name__) from error

    def _read(self, url: str, response: httpx2.Response, limit: Limit) -> Response:
        if not response.is_success:
            if response.status_code == 304:
                response.read()  # the body is empty; reading it keeps the connection usable
            return Response(url, response.status_code, response.headers)
        max_bytes = limit(response.headers)
        deadline = self._clock.monotonic() + BODY_TIMEOUTS * self._timeout_s
        body = bytearray()
        if max_bytes:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > max_bytes:
                    break
                if self._clock.monotonic() > deadline:
                    raise _NoResponseError(f"the body took longer than {BODY_TIMEOUTS} timeouts")
        is_truncated = len(body) > max_bytes or not max_bytes
        return Response(
            url, response.status_code, response.headers, bytes(body[:max_bytes]), is_truncated
        )

    def _record_failure(self, error: _NoResponseError) -> None:
        self._failures += 1
        asks_for_pause = (error.after_s or 0) > MAX_RETRY_AFTER_S
        if asks_for_pause and (error.concerns_host or not self._is_reachable()):
            self._host_failure = f"the host asks for a pause of {error.after_s:g} s"
        elif self._failures % MAX_CONSECUTIVE_FAILURES == 0 and not self._is_reachable():
            self._host_failure = (
                f"the host failed to answer {MAX_CONSECUTIVE_FAILURES} consecutive requests"
            )

    def _is_reachable(self) -> bool:
        """Whether the host answers a request for a URL of the settings."""
        try:
            self._send(self._entry, lambda _: 0, {})
        except _NoResponseError:
            return False
        return True


def _make_refusal(response: httpx2.Response) -> _NoResponseError:
    reason = f"{response.status_code} {response.reason_phrase}".strip()
    after_s = _read_retry_after(response.headers.get("retry-after"))
    return _NoResponseError(reason, after_s, concerns_host=response.status_code == 429)


def _read_retry_after(value: str | None) -> float | None:
    """The pause in seconds from now, or None if the header is missing or malformed."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    timestamp = read_timestamp(value)
    return None if timestamp is None else max((timestamp - datetime.now(UTC)).total_seconds(), 0)


def _read_pause(state: RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return error.after_s if isinstance(error, _NoResponseError) else None


def _backoff(state: RetryCallState) -> float:
    requested = _read_pause(state)
    exponential = FIRST_BACKOFF_S * math.pow(2, state.attempt_number - 1)
    return min(exponential, MAX_BACKOFF_S) if requested is None else requested


@cache
def _read_trusted_certificates() -> ssl.SSLContext:
    """Return the certificates that all clients of the process trust. Reading them takes 30 ms."""
    return httpx2.create_ssl_context()
