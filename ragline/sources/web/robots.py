"""Reads robots.txt: which pages a crawler may request, and at which interval.

Source: RFC 9309. `response_reading` reads the directives inside a page (`noindex`, `nofollow`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from protego import Protego

from ragline.errors import SourceUnavailableError
from ragline.sources.web.crawl_state import ROBOTS_KEY, CrawlState, RobotsState, Validators
from ragline.sources.web.http_client import HttpClient, Response

# RFC 9309, section 2.5: a crawler must read at least this number of bytes.
MAX_ROBOTS_BYTES = 500 * 1024
# RFC 9309, section 2.4: a crawler may use saved rules for a day.
MAX_AGE_S = 24 * 3600
MAX_REDIRECTS = 5
# With a longer delay, a listing would take too long.
MAX_CRAWL_DELAY_S = 300.0


class RobotsRules:
    """The rules of one host for one crawler."""

    def __init__(self, text: str, user_agent: str) -> None:
        self._rules = Protego.parse(text)
        self._user_agent = user_agent

    def allows(self, url: str) -> bool:
        """Whether the URL may be requested."""
        return self._rules.can_fetch(url, self._user_agent)

    @property
    def interval_s(self) -> float:
        """The interval between two requests that the host asks for; 0 without such a rule."""
        delay = self._rules.crawl_delay(self._user_agent) or 0
        rate = self._rules.request_rate(self._user_agent)
        return max(delay, rate.seconds / rate.requests if rate and rate.requests else 0)


def read_rules(
    client: HttpClient, state: CrawlState, user_agent: str, *, use_saved: bool
) -> RobotsRules:
    """Read the rules of the host. Without rules (status 404 or another 4xx), all pages are allowed.

    With `use_saved`, rules that a listing saved less than MAX_AGE_S ago are used without a request.
    Otherwise the rules are requested and saved.

    Raises:
        SourceUnavailableError: there is no response, or its status is 5xx. The whole host is then
            forbidden. The error is also raised if the crawl delay is longer than MAX_CRAWL_DELAY_S.
    """
    saved = state.read_robots()
    if saved is None or not use_saved or time.time() - saved.read_at > MAX_AGE_S:
        saved = _request(client, saved)
        if not use_saved:
            state.write(ROBOTS_KEY, saved)
    rules = RobotsRules(saved.text, user_agent)
    if not rules.interval_s <= MAX_CRAWL_DELAY_S:
        raise SourceUnavailableError(
            f"robots.txt asks for {rules.interval_s:g} s between requests; the limit "
            f"is {MAX_CRAWL_DELAY_S:g} s"
        )
    return rules


def _request(client: HttpClient, saved: RobotsState | None) -> RobotsState:
    try:
        response = _follow(client, {} if saved is None else saved.validators.conditions())
    except SourceUnavailableError as error:
        raise SourceUnavailableError(
            f"{error}; without robots.txt the host must not be read"
        ) from error
    if response.status == 304 and saved is not None:
        return saved.model_copy(update={"read_at": time.time()})
    text = response.body.decode("utf-8-sig", "replace") if response.status < 300 else ""
    return RobotsState(validators=Validators.of(response.headers), text=text, read_at=time.time())


def _follow(client: HttpClient, conditions: Mapping[str, str]) -> Response:
    url = f"{client.origin}/robots.txt"
    for _ in range(MAX_REDIRECTS + 1):
        response = client.get(url, lambda _: MAX_ROBOTS_BYTES, conditions)
        if not response.is_redirect:
            return response
        if response.target is None or not response.target.startswith(f"{client.origin}/"):
            raise SourceUnavailableError(
                f"{url} redirects to {response.target} on another host; name that host in the "
                "settings if it has the pages"
            )
        url = response.target
    raise SourceUnavailableError(f"{url}: more than {MAX_REDIRECTS} redirects")
