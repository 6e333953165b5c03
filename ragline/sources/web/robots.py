"""robots.txt: which pages a host wants nobody to read by program, and how slowly it is asked.

Source: RFC 9309. The rules inside a page (`noindex`, `nofollow`) are read in `pages`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from protego import Protego

from ragline.errors import SourceUnavailableError
from ragline.sources.web.crawl_state import ROBOTS_KEY, RobotsNote, Validators, WebNotes
from ragline.sources.web.http_client import Answer, PoliteClient

# RFC 9309, 2.5: a crawler reads at least this much.
MAX_ROBOTS_BYTES = 500 * 1024
# RFC 9309, 2.4: rules may be used for a day without asking again.
MAX_AGE_S = 24 * 3600
MAX_REDIRECTS = 5
# A host that asks for more cannot be read in any useful time.
MAX_CRAWL_DELAY_S = 300.0


class RobotsRules:
    """What one program may do on one host."""

    def __init__(self, text: str, user_agent: str) -> None:
        self._rules = Protego.parse(text)
        self._user_agent = user_agent

    def allows(self, url: str) -> bool:
        """Whether the URL may be requested."""
        return self._rules.can_fetch(url, self._user_agent)

    @property
    def interval_s(self) -> float:
        """The seconds between two requests that the host asks for; 0 when it asks for nothing."""
        delay = self._rules.crawl_delay(self._user_agent) or 0
        rate = self._rules.request_rate(self._user_agent)
        return max(delay, rate.seconds / rate.requests if rate and rate.requests else 0)


def read_rules(
    client: PoliteClient, notes: WebNotes, user_agent: str, *, may_be_noted: bool
) -> RobotsRules:
    """The host's rules; without any (404 and other 4xx) everything is allowed.

    `may_be_noted` takes what a listing noted within a day instead of asking.

    Raises:
        SourceUnavailableError: 5xx or no answer, which forbids the whole host; or a crawl delay
            that cannot be waited for.
    """
    noted = notes.read_robots()
    if noted is None or not may_be_noted or time.time() - noted.read_at > MAX_AGE_S:
        noted = _ask(client, noted)
        if not may_be_noted:
            notes.write(ROBOTS_KEY, noted)
    rules = RobotsRules(noted.text, user_agent)
    if not rules.interval_s <= MAX_CRAWL_DELAY_S:
        raise SourceUnavailableError(
            f"robots.txt asks for {rules.interval_s:g} s between requests; more than "
            f"{MAX_CRAWL_DELAY_S:g} s is not waited for"
        )
    return rules


def _ask(client: PoliteClient, noted: RobotsNote | None) -> RobotsNote:
    try:
        answer = _follow(client, {} if noted is None else noted.validators.conditions())
    except SourceUnavailableError as error:
        raise SourceUnavailableError(
            f"{error}; without its robots.txt the host must not be read"
        ) from error
    if answer.status == 304 and noted is not None:
        return noted.model_copy(update={"read_at": time.time()})
    text = answer.body.decode("utf-8-sig", "replace") if answer.status < 300 else ""
    return RobotsNote(validators=Validators.of(answer.headers), text=text, read_at=time.time())


def _follow(client: PoliteClient, conditions: Mapping[str, str]) -> Answer:
    url = f"{client.origin}/robots.txt"
    for _ in range(MAX_REDIRECTS + 1):
        answer = client.get(url, lambda _: MAX_ROBOTS_BYTES, conditions)
        if not answer.is_redirect:
            return answer
        if answer.target is None or not answer.target.startswith(f"{client.origin}/"):
            raise SourceUnavailableError(
                f"{url} leads to {answer.target}, another host; name that one in the settings if "
                "the pages are there"
            )
        url = answer.target
    raise SourceUnavailableError(f"{url}: more than {MAX_REDIRECTS} redirects")
