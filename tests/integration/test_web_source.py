"""A host as a source, with a real server: what is requested, listed and saved."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from page_server import PageServer, Reply, serve_pages

from ragline.errors import (
    DocumentTooLargeError,
    DocumentUnavailableError,
    DocumentUnreadableError,
    EmptyDocumentError,
    SourceUnavailableError,
)
from ragline.parsing.readers.dispatch import ReaderDispatch
from ragline.sources.protocol import FailedFetch, FetchedDocument, SourceContext
from ragline.sources.state import SourceState
from ragline.sources.web.rate_limit import Clock
from ragline.sources.web.settings import WebSettings
from ragline.sources.web.source import WebSource

PARAGRAPH = "Tea is made of leaves that are poured over with hot water, and it is drunk warm."


class VirtualClock:
    """A clock that only advances in `sleep`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep)


@pytest.fixture
def host():
    with serve_pages() as started:
        yield started


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def open_web(host, database, tmp_path, clock) -> Callable[..., WebSource]:
    """Opens the source as another process does, with the same saved state."""

    def open_source(**settings: object) -> WebSource:
        entries = {} if {"start", "sitemaps"} & settings.keys() else {"start": [host.url]}
        checked = WebSettings.model_validate(
            {"name": "s", "collection": "c", "kind": "web", "attempts": 2, **entries, **settings}
        )
        state = SourceState(database, "s")
        return WebSource(checked, SourceContext(tmp_path / "s", state, database), clock.clock)

    return open_source


def page(text: str = PARAGRAPH, *links: str, head: str = "") -> str:
    anchors = "".join(f'<li><a href="{link}">a page</a></li>' for link in links)
    return (
        f"<html><head><title>Tea</title>{head}</head><body><nav><ul>{anchors}</ul></nav>"
        f"<main><p>{text}</p></main></body></html>"
    )


def sitemap(host: PageServer, *paths: str, kind: str = "url", lastmod: str = "") -> str:
    root = "urlset" if kind == "url" else "sitemapindex"
    entries = "".join(f"<{kind}><loc>{host.url}{path}</loc>{lastmod}</{kind}>" for path in paths)
    space = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    return f'<?xml version="1.0"?><{root} {space}>{entries}</{root}>'


def list_paths(source: WebSource, host: PageServer) -> list[str]:
    return [listed.document_id.removeprefix(host.url) for listed in source.list_documents()]


def list_versions(source: WebSource) -> dict[str, str]:
    return {listed.document_id: listed.version for listed in source.list_documents()}


def fetch_all(source: WebSource) -> dict[str, FetchedDocument | FailedFetch]:
    ids = [listed.document_id for listed in source.list_documents()]
    return {fetched.document_id: fetched for fetched in source.fetch_documents(ids)}


def redirect(location: str) -> Reply:
    return Reply(status=302, headers={"Location": location})


class TestCost:
    def test_second_listing_sends_conditional_requests_and_gets_no_body(self, host, open_web):
        host.pages = {"/": page(PARAGRAPH, "/a", "/b"), "/a": page("a"), "/b": page("b", "/a")}
        first = list(open_web().list_documents())
        host.requests.clear()
        assert list(open_web().list_documents()) == first
        assert sorted(host.paths) == ["/", "/a", "/b", "/robots.txt"]
        assert host.body_bytes == 0
        assert all("if-none-match" in request.headers for request in host.requests[1:])

    def test_second_listing_of_a_sitemap_gets_no_body_either(self, host, open_web):
        host.pages = {"/sitemap.xml": sitemap(host, "/a"), "/a": page("a")}
        settings = {"sitemaps": [f"{host.url}/sitemap.xml"]}
        first = list(open_web(**settings).list_documents())
        host.requests.clear()
        assert list(open_web(**settings).list_documents()) == first
        assert host.body_bytes == 0

    def test_last_modified_alone_is_enough(self, host, open_web):
        dated = {"Last-Modified": "Wed, 01 Jan 2025 10:00:00 GMT"}
        host.pages["/"] = Reply(page().encode(), headers=dated, etag="")
        (listed,) = open_web().list_documents()
        assert listed.changed_at == datetime(2025, 1, 1, 10, tzinfo=UTC)
        host.requests.clear()
        list(open_web().list_documents())
        assert host.requests[-1].headers["if-modified-since"] == dated["Last-Modified"]

    def test_pages_read_by_a_listing_are_not_requested_again(self, host, open_web):
        host.pages = {"/": page(PARAGRAPH, "/a"), "/a": page("a")}
        source = open_web()
        ids = [listed.document_id for listed in source.list_documents()]
        host.requests.clear()
        assert len(list(source.fetch_documents(ids))) == 2
        assert host.requests == []

    def test_another_process_requests_only_the_pages_it_fetches(self, host, open_web):
        host.pages = {"/": page(PARAGRAPH, "/a"), "/a": page("a")}
        list(open_web().list_documents())
        host.requests.clear()
        (fetched,) = open_web().fetch_documents([f"{host.url}/a"])
        assert isinstance(fetched, FetchedDocument)
        assert host.paths == ["/a"]

    def test_probe_is_one_conditional_request_for_each_entry(self, host, open_web):
        host.pages = {
            "/": page(PARAGRAPH, "/a"),
            "/a": page("a"),
            "/sitemap.xml": sitemap(host, "/a"),
        }
        settings = {"sitemaps": [f"{host.url}/sitemap.xml"], "start": [host.url]}
        list(open_web(**settings).list_documents())
        host.requests.clear()
        open_web(**settings).probe()
        assert host.paths == ["/sitemap.xml", "/"]
        assert host.body_bytes == 0

    def test_pictures_and_scripts_are_not_requested(self, host, open_web):
        host.pages["/"] = page(PARAGRAPH, "/a.png", "/b.js", "/c.zip", "mailto:a@b.example")
        assert list_paths(open_web(), host) == ["/"]
        assert host.paths == ["/robots.txt", "/"]

    def test_body_of_an_ignored_media_type_is_not_read(self, host, open_web):
        host.pages["/"] = page(PARAGRAPH, "/picture")
        host.pages["/picture"] = Reply(b"x" * 100, headers={"Content-Type": "image/png"})
        assert list_paths(open_web(), host) == ["/"]


class TestVersion:
    def test_new_etag_and_timestamp_in_the_footer_keep_the_version(self, host, open_web):
        text = f"<html><body><main><p>{PARAGRAPH}</p></main><footer>It is %s</footer></body></html>"
        host.pages["/"] = text % "12:00"
        first = list(open_web().list_documents())
        host.pages["/"] = text % "12:01"
        assert list(open_web().list_documents()) == first
        assert host.requests[-1].status == 200

    def test_new_title_changes_the_version(self, host, open_web):
        host.pages["/"] = page()
        first = list_versions(open_web())
        host.pages["/"] = page().replace("<title>Tea", "<title>Coffee")
        second = list_versions(open_web())
        assert first.keys() == second.keys()
        assert first != second

    def test_new_last_modified_of_the_same_text_keeps_its_date(self, host, open_web):
        for day in ("01", "02"):
            dated = {"Last-Modified": f"Wed, {day} Jan 2025 10:00:00 GMT"}
            host.pages["/"] = Reply(page().encode(), headers=dated, etag=day)
            (listed,) = open_web().list_documents()
        assert listed.changed_at == datetime(2025, 1, 1, 10, tzinfo=UTC)

    def test_server_without_validators_sends_bodies_and_versions_stay(self, host, open_web):
        host.pages["/"] = Reply(page().encode(), etag="")
        assert list_versions(open_web()) == list_versions(open_web())
        assert open_web().probe() == open_web().probe()

    def test_link_in_the_navigation_changes_the_probe(self, host, open_web):
        host.pages = {"/": page(), "/new": page("new")}
        list(open_web().list_documents())
        before = open_web().probe()
        host.pages["/"] = page(PARAGRAPH, "/new")
        assert open_web().probe() != before


class TestReach:
    def test_pages_outside_the_patterns_are_not_requested(self, host, open_web):
        host.pages["/"] = page(PARAGRAPH, "/docs/a", "/docs/old/b", "/blog/c")
        host.pages |= {"/docs/a": page("a"), "/docs/old/b": page("b"), "/blog/c": page("c")}
        source = open_web(include=["docs/**"], exclude=["docs/old/**"])
        assert list_paths(source, host) == ["/docs/a"]
        assert host.paths == ["/robots.txt", "/", "/docs/a"]

    def test_other_hosts_are_not_requested(self, host, open_web):
        with serve_pages() as other:
            other.pages = {"/": page(), "/moved": page()}
            host.pages["/"] = page(PARAGRAPH, other.url, "/leaves", "/stays")
            host.pages["/leaves"] = redirect(f"{other.url}/moved")
            host.pages["/stays"] = page("stays")
            source = open_web(credentials={})
            assert list_paths(source, host) == ["/", "/stays"]
            assert other.requests == []

    def test_the_secret_goes_to_the_host(self, host, open_web, monkeypatch):
        monkeypatch.setenv("WIKI_TOKEN", "Bearer abc")
        host.pages["/"] = page()
        list(open_web(credentials={"authorization": "WIKI_TOKEN"}).list_documents())
        assert {request.headers.get("authorization") for request in host.requests} == {"Bearer abc"}

    def test_missing_secret_is_named_by_its_variable(self, open_web, monkeypatch):
        monkeypatch.delenv("WIKI_TOKEN", raising=False)
        with pytest.raises(SourceUnavailableError, match=r"^source s: credentials: .* WIKI_TOKEN"):
            open_web(credentials={"authorization": "WIKI_TOKEN"}).probe()

    def test_the_secret_does_not_follow_a_redirect_to_another_host(
        self, host, open_web, monkeypatch
    ):
        monkeypatch.setenv("WIKI_TOKEN", "Bearer abc")
        with serve_pages() as other:
            host.pages["/"] = redirect(other.url)
            with pytest.raises(SourceUnavailableError, match="not on this host"):
                list(open_web(credentials={"authorization": "WIKI_TOKEN"}).list_documents())
            assert other.requests == []

    def test_redirect_within_the_host_is_listed_once_under_its_target(self, host, open_web):
        host.pages = {"/": page(PARAGRAPH, "/old", "/new"), "/old": redirect("/new")}
        host.pages["/new"] = page("new")
        assert list_paths(open_web(), host) == ["/", "/new"]

    def test_start_page_may_redirect_to_another_page(self, host, open_web):
        host.pages = {"/": redirect("/docs/"), "/docs/": page(PARAGRAPH, "/docs/a")}
        host.pages["/docs/a"] = page("a")
        assert list_paths(open_web(include=["docs/a"]), host) == ["/docs/a"]
        assert open_web().probe()

    def test_copies_are_listed_once_under_the_canonical_page(self, host, open_web):
        copy = page("a", head='<link rel="canonical" href="/a">')
        host.pages = {"/": page(PARAGRAPH, "/print/a"), "/print/a": copy, "/a": copy}
        assert list_paths(open_web(), host) == ["/", "/a"]

    def test_copy_of_an_unreadable_canonical_page_is_listed(self, host, open_web):
        one = page("a", head='<link rel="canonical" href="/gone">')
        two = page("b", head='<link rel="canonical" href="/a">')
        host.pages = {"/": page(PARAGRAPH, "/a", "/b"), "/a": one, "/b": two}
        assert list_paths(open_web(), host) == ["/", "/a"]

    def test_fragments_and_tracking_parameters_are_removed(self, host, open_web):
        host.pages["/"] = page(PARAGRAPH, "/a?x=1&utm_source=n#top", "/a?utm_medium=m&x=1")
        host.pages["/a?x=1"] = page("a")
        assert list_paths(open_web(), host) == ["/", "/a?x=1"]

    def test_sitemap_alone_follows_no_links(self, host, open_web):
        host.pages = {"/s.txt": Reply(f"{host.url}/a\n".encode()), "/a": page("a", "/b")}
        source = open_web(sitemaps=[f"{host.url}/s.txt"])
        assert list_paths(source, host) == ["/a"]

    def test_index_of_compressed_sitemaps(self, host, open_web):
        dated = "<lastmod>2025-02-03</lastmod>"
        host.pages["/index.xml"] = sitemap(host, "/1.xml.gz", "/2.xml", kind="sitemap")
        packed = gzip.compress(sitemap(host, "/a", lastmod=dated).encode())
        host.pages["/1.xml.gz"] = Reply(packed, headers={"Content-Type": "application/gzip"})
        host.pages["/2.xml"] = sitemap(host, "/b")
        host.pages |= {"/a": page("a"), "/b": page("b")}
        first, second = open_web(sitemaps=[f"{host.url}/index.xml"]).list_documents()
        assert first.document_id == f"{host.url}/a"
        assert first.changed_at == datetime(2025, 2, 3, tzinfo=UTC)
        assert second.changed_at is None


class TestRobots:
    def test_forbidden_pages_are_not_requested(self, host, open_web):
        host.pages["/robots.txt"] = "User-agent: *\nDisallow: /private\n"
        host.pages["/"] = page(PARAGRAPH, "/private/a", "/b")
        host.pages |= {"/private/a": page("a"), "/b": page("b")}
        assert list_paths(open_web(), host) == ["/", "/b"]
        assert "/private/a" not in host.paths

    def test_rules_for_this_crawler_have_precedence(self, host, open_web):
        host.pages["/robots.txt"] = "User-agent: *\nDisallow: /\n\nUser-agent: ragline\nAllow: /\n"
        host.pages["/"] = page()
        assert list_paths(open_web(), host) == ["/"]

    @pytest.mark.parametrize("status", [500, 503, 429])
    def test_host_without_readable_rules_is_not_read(self, host, open_web, status):
        host.pages = {"/robots.txt": Reply(status=status), "/": page()}
        with pytest.raises(SourceUnavailableError, match="must not be read"):
            list(open_web().list_documents())
        assert "/" not in host.paths

    def test_forbidden_start_page_is_an_error_and_not_an_empty_host(self, host, open_web):
        host.pages = {"/robots.txt": "User-agent: *\nDisallow: /\n", "/": page()}
        with pytest.raises(SourceUnavailableError, match="forbids the start page"):
            list(open_web().list_documents())
        with pytest.raises(SourceUnavailableError, match="forbids the start page"):
            open_web().probe()

    @pytest.mark.parametrize("place", ["head", "header"])
    def test_noindex_is_not_listed_and_nofollow_not_followed(self, host, open_web, place):
        host.pages["/"] = page(PARAGRAPH, "/hidden", "/deaf")
        for path, word in (("/hidden", "noindex"), ("/deaf", "nofollow")):
            head = f'<meta name="robots" content="{word}">' if place == "head" else ""
            headers = {"X-Robots-Tag": word} if place == "header" else {}
            body = page(word, f"{path}/deeper", head=head).encode()
            host.pages[path] = Reply(body, headers=headers)
            host.pages[f"{path}/deeper"] = page("deeper")
        expected = ["/", "/deaf", "/hidden/deeper"]
        assert sorted(list_paths(open_web(), host)) == expected
        assert sorted(list_paths(open_web(), host)) == expected

    def test_crawl_delay_is_obeyed(self, host, open_web, clock):
        host.pages = {
            "/robots.txt": "User-agent: *\nCrawl-delay: 7\n",
            "/": page(PARAGRAPH, "/a"),
        }
        host.pages["/a"] = page("a")
        list(open_web().list_documents())
        assert clock.pauses == [0.5, 7.0]

    def test_endless_crawl_delay_is_an_error(self, host, open_web):
        host.pages["/robots.txt"] = "User-agent: *\nCrawl-delay: 86400\n"
        with pytest.raises(SourceUnavailableError, match="86400 s between requests"):
            list(open_web().list_documents())


class TestRateLimit:
    def test_rate_limit_applies_to_listing_fetching_and_probing(self, host, open_web, clock):
        host.pages = {"/": page(PARAGRAPH, "/a"), "/a": page("a")}
        source = open_web(requests_per_second=4)
        list(source.list_documents())
        source.probe()
        list(source.fetch_documents([f"{host.url}/a", f"{host.url}/gone"]))
        assert len(host.requests) == 5
        assert clock.pauses == [0.25] * 4

    def test_retry_after_is_obeyed(self, host, open_web, clock):
        replies = iter([Reply(status=503, headers={"Retry-After": "9"}), Reply(page().encode())])
        host.pages["/"] = lambda: next(replies)
        assert list_paths(open_web(), host) == ["/"]
        assert 9.0 in clock.pauses

    def test_host_with_a_long_retry_after_gets_no_further_requests(self, host, open_web, clock):
        host.pages = {"/": page(PARAGRAPH, "/a", "/b"), "/b": page("b")}
        host.pages["/a"] = Reply(status=429, headers={"Retry-After": "3600"})
        with pytest.raises(SourceUnavailableError, match="asks for a pause of 3600 s"):
            list(open_web().list_documents())
        assert host.paths == ["/robots.txt", "/", "/a"]
        assert sum(clock.pauses) < 10

    def test_retries_have_a_backoff_and_a_limit(self, host, open_web, clock):
        host.pages["/"] = Reply(status=500)
        with pytest.raises(SourceUnavailableError, match="500 Internal Server Error"):
            list(open_web(attempts=4).list_documents())
        assert host.paths.count("/") == 4
        assert [pause for pause in clock.pauses if pause >= 1] == [1.0, 2.0, 4.0]

    def test_unreachable_host_does_not_get_a_request_for_every_page(self, host, open_web):
        names = [f"/{number}" for number in range(50)]
        starts = iter([Reply(page(PARAGRAPH, *names).encode())])
        host.pages = {name: Reply(status=500) for name in names}
        host.pages["/"] = lambda: next(starts, Reply(status=503))
        with pytest.raises(
            SourceUnavailableError, match=r"/9: 500 .* failed to answer 10 consecutive requests"
        ):
            list(open_web(attempts=1).list_documents())
        assert len(host.requests) == 2 + 10 + 1

    def test_many_failed_pages_do_not_make_the_host_unreachable(self, host, open_web):
        names = [f"/{number}" for number in range(25)]
        host.pages = {name: Reply(status=500) for name in names}
        host.pages |= {"/": page(PARAGRAPH, *names, "/good"), "/good": page("good")}
        listed = list_paths(open_web(), host)
        assert sorted(listed) == sorted(["/", "/good", *names])
        # After ten failures each page is tried once; the start page shows that the host works.
        assert len(host.requests) == 3 + 10 * 2 + 15 + 2

    def test_page_with_a_long_retry_after_only_fails_itself(self, host, open_web):
        host.pages = {"/": page(PARAGRAPH, "/a", "/b"), "/b": page("b")}
        host.pages["/a"] = Reply(status=503, headers={"Retry-After": "86400"})
        assert sorted(list_paths(open_web(), host)) == ["/", "/a", "/b"]


REFRESHES = [
    '<meta http-equiv="refresh" content="0; url=latest/">',
    "<meta http-equiv='Refresh' content='0;URL=latest/'>",
    """<meta http-equiv="refresh" content="0; url='latest/'">""",
    """<meta http-equiv="REFRESH" content='0;url="latest/"'>""",
    '<meta http-equiv=refresh content="0,url=./latest/">',
    '<meta http-equiv="refresh" content="0 latest/">',
    '<meta http-equiv="refresh" content="3; url = latest/#top">',
    '<meta http-equiv="refresh" content="0.5; url=/latest/">',
    '<meta content="0; url=latest/?utm_source=x" http-equiv="refresh">',
    '<base href="/latest/"><meta http-equiv="refresh" content="0; url=.">',
    '<noscript><meta http-equiv="refresh" content="1; url=latest/"></noscript>',
    '<meta http-equiv="refresh" content="0"><meta http-equiv="refresh" content="0;url=latest/">',
    '<meta name="robots" content="noindex"><meta http-equiv="refresh" content="0;url=latest/">',
]
SENT_ON = "<p>Redirecting to <a href='latest/'>latest/</a> ...</p>"


class TestRefreshRedirect:
    @pytest.mark.parametrize("head", REFRESHES)
    def test_refresh_of_the_start_page_is_followed_like_a_redirect(self, host, open_web, head):
        host.pages["/"] = f"<html><head>{head}</head><body>{SENT_ON}</body></html>"
        host.pages |= {"/latest/": page(PARAGRAPH, "a.html"), "/latest/a.html": page("a")}
        assert list_paths(open_web(), host) == ["/latest/", "/latest/a.html"]
        assert open_web().probe() == open_web().probe()

    def test_refresh_header_is_followed(self, host, open_web):
        host.pages["/"] = Reply(SENT_ON.encode(), headers={"Refresh": "0; url=/latest/"})
        host.pages["/latest/"] = page()
        assert list_paths(open_web(), host) == ["/latest/"]

    @pytest.mark.parametrize("head", REFRESHES)
    def test_page_that_only_redirects_is_not_indexed(self, host, open_web, head):
        host.pages["/"] = page(PARAGRAPH, "/old/")
        host.pages["/old/"] = f"<html><head>{head}</head><body>{SENT_ON}</body></html>"
        host.pages |= {"/latest/": page("new"), "/old/latest/": page("new below")}
        listed = list_paths(open_web(), host)
        assert len(listed) == 2
        assert listed[0] == "/"
        assert listed[1].endswith("latest/")

    @pytest.mark.parametrize(
        "head",
        [
            '<meta http-equiv="refresh" content="300">',
            '<meta http-equiv="refresh" content="5; url=/">',
            '<meta http-equiv="refresh" content="300; url=/other">',
            '<meta http-equiv="refresh" content="">',
            '<meta http-equiv="refresh" content="soon; url=/other">',
            '<meta name="refresh" content="0; url=/other">',
        ],
    )
    def test_page_that_reloads_itself_or_has_a_long_delay_is_indexed(self, host, open_web, head):
        host.pages["/"] = page(PARAGRAPH, head=head)
        assert list_paths(open_web(), host) == ["/"]

    def test_page_with_text_in_noscript_is_indexed(self, host, open_web):
        head = '<noscript><meta http-equiv="refresh" content="0; url=/nojs"></noscript>'
        host.pages["/"] = page(PARAGRAPH * 20, head=head)
        assert list_paths(open_web(), host) == ["/"]

    def test_start_page_with_a_refresh_to_another_host_is_an_error(self, host, open_web):
        host.pages["/"] = '<meta http-equiv="refresh" content="0; url=https://elsewhere.example/">'
        with pytest.raises(SourceUnavailableError, match=r"elsewhere.example/, which is not on"):
            list_paths(open_web(), host)

    def test_page_with_a_refresh_to_another_host_is_not_listed(self, host, open_web):
        host.pages["/"] = page(PARAGRAPH, "/out")
        host.pages["/out"] = (
            '<meta http-equiv="refresh" content="0; url=https://elsewhere.example/">' + SENT_ON
        )
        assert list_paths(open_web(), host) == ["/"]

    def test_pages_with_a_refresh_loop_fail_by_name(self, host, open_web):
        host.pages["/"] = page(PARAGRAPH, "/a")
        host.pages["/a"] = '<meta http-equiv="refresh" content="0; url=/b">'
        host.pages["/b"] = Reply(status=301, headers={"Location": "/a"})
        assert list_paths(open_web(), host) == ["/", "/a"]
        host.pages["/"] = '<meta http-equiv="refresh" content="0; url=/a">'
        with pytest.raises(SourceUnavailableError, match="redirects in a loop"):
            list_paths(open_web(), host)

    def test_redirect_page_that_was_saved_as_a_page_is_requested_in_full(
        self, host, open_web, database
    ):
        host.pages["/"] = page(PARAGRAPH, "/old")
        host.pages["/old"] = '<meta http-equiv="refresh" content="0; url=/new">' + SENT_ON
        host.pages["/new"] = page("new")
        key = f"page {host.url}/old"
        note = {
            "validators": {"etag": "whatever", "last_modified": None}, "version": "1",
            "size_bytes": 1, "changed_at": None, "is_indexed": True, "links": [], "canonical": None,
        }  # fmt: skip
        SourceState(database, "s").write(key, note)
        assert list_paths(open_web(), host) == ["/", "/new"]
        (request,) = [one for one in host.requests if one.path == "/old"]
        assert "if-none-match" not in request.headers


def fail_with(host: PageServer, reply: Reply | Callable[[], Reply]) -> dict[str, Reply]:
    """A host with a failing page between two readable pages."""
    host.pages = {"/": page(PARAGRAPH, "/a", "/b"), "/a": page("a", "/behind"), "/b": page("b")}
    host.pages["/behind"] = page("behind")
    return {"/a": reply}


FAILING = {
    "500": Reply(status=500),
    "502": Reply(status=502),
    "broken encoding": Reply(b"no gzip", headers={"Content-Encoding": "gzip"}),
    "cut": Reply(b"<p>x</p>", headers={"Content-Length": "999", "Connection": "close"}),
    "loop": Reply(status=302, headers={"Location": "/a"}),
}
REFUSED = {"401": Reply(status=401), "403": Reply(status=403), "429": Reply(status=429)}


class TestRemovals:
    @pytest.mark.parametrize("reply", FAILING.values(), ids=FAILING)
    def test_page_that_never_was_readable_only_fails_itself(self, host, open_web, reply):
        failing = fail_with(host, reply)
        host.pages |= failing
        source = open_web(attempts=1, timeout="1s")
        listed = list_paths(source, host)
        assert sorted(listed) == ["/", "/a", "/b"]
        fetched = {answer.document_id: answer for answer in source.fetch_documents(
            [f"{host.url}{path}" for path in listed]
        )}  # fmt: skip
        failed = fetched.pop(f"{host.url}/a")
        assert isinstance(failed, FailedFetch)
        assert isinstance(failed.error, DocumentUnreadableError)
        assert "/a: " in str(failed.error)
        assert all(isinstance(answer, FetchedDocument) for answer in fetched.values())
        # Its version is constant while it fails; afterwards it is a normal page.
        before = list_versions(open_web(attempts=1, timeout="1s"))
        assert before == list_versions(open_web(attempts=1, timeout="1s"))
        host.pages["/a"] = page("a at last")
        after = list_versions(open_web())
        assert after.keys() == before.keys()
        assert after[f"{host.url}/a"] != before[f"{host.url}/a"]

    @pytest.mark.parametrize(
        "reply", [*FAILING.values(), *REFUSED.values()], ids=[*FAILING, *REFUSED]
    )
    def test_page_that_was_readable_fails_and_is_not_removed(self, host, open_web, reply):
        failing = fail_with(host, reply)
        known = list_versions(open_web())
        assert len(known) == 4
        host.pages |= failing
        source = open_web(attempts=1, timeout="1s")
        found = list_versions(source)
        assert found.keys() == known.keys()
        assert {name for name in known if found[name] != known[name]} == {f"{host.url}/a"}
        for opened in (source, open_web(attempts=1, timeout="1s")):
            (failed,) = opened.fetch_documents([f"{host.url}/a"])
            assert isinstance(failed, FailedFetch)
            if reply.status != 302:
                assert isinstance(failed.error, DocumentUnavailableError)
        host.pages["/a"] = page("a", "/behind")
        assert list_versions(open_web()) == known

    def test_host_without_readable_pages_is_unavailable(self, host, open_web):
        host.pages = {"/sitemap.xml": sitemap(host, "/a", "/b"), "/a": page("a"), "/b": page("b")}
        settings = {"sitemaps": [f"{host.url}/sitemap.xml"], "attempts": 1}
        assert len(list_versions(open_web(**settings))) == 2
        host.pages |= {"/a": Reply(status=401), "/b": Reply(status=500)}
        with pytest.raises(SourceUnavailableError, match="none of 2 pages could be read: "):
            list_versions(open_web(**settings))

    def test_malformed_address_in_a_sitemap_only_fails_itself(self, host, open_web):
        host.pages = {"/a": page("a"), "/s.xml": sitemap(host, "/a")}
        host.pages["/s.xml"] = sitemap(host, "/a").replace(
            "</urlset>", "<url><loc>javascript:void(0)</loc></url></urlset>"
        )
        source = open_web(sitemaps=[f"{host.url}/s.xml"])
        assert list_paths(source, host) == ["/a", "/s.xml#javascript:void(0)"]
        for opened in (source, open_web(sitemaps=[f"{host.url}/s.xml"])):
            (failed,) = opened.fetch_documents([f"{host.url}/s.xml#javascript:void(0)"])
            assert isinstance(failed, FailedFetch)
            assert "not a web page" in str(failed.error)

    @pytest.mark.parametrize("status", [404, 410])
    def test_removed_page_is_not_listed(self, host, open_web, status):
        host.pages = {"/": page(PARAGRAPH, "/a"), "/a": page("a")}
        assert list_paths(open_web(), host) == ["/", "/a"]
        host.pages["/a"] = Reply(status=status)
        assert list_paths(open_web(), host) == ["/"]

    def test_page_that_never_was_readable_does_not_stop_the_others(self, host, open_web):
        host.pages = {"/": page(PARAGRAPH, "/secret", "/loop", "/a"), "/a": page("a")}
        host.pages |= {"/secret": Reply(status=403), "/loop": redirect("/loop2")}
        host.pages["/loop2"] = redirect("/loop")
        # A refused page is left out; a redirect loop is an error that is named once.
        assert list_paths(open_web(), host) == ["/", "/a", "/loop"]

    @pytest.mark.parametrize(
        "reply", [Reply(status=404), Reply(status=403), redirect("/")], ids=["404", "403", "loop"]
    )
    def test_missing_start_page_is_an_error(self, host, open_web, reply):
        host.pages["/"] = reply
        with pytest.raises(SourceUnavailableError):
            list(open_web().list_documents())
        with pytest.raises(SourceUnavailableError):
            open_web().probe()

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"<urlset><url><loc>http://x.example/</loc></url>", "its XML is damaged"),
            (b"<html><body>Error</body></html>", "root element is <html>"),
            (b"", "it is empty"),
            (gzip.compress(b"<urlset></urlset>")[:-6], "its gzip is incomplete"),
            (b'{"error": "no"}', "is not a web page"),
            (b"<urlset><url><loc>http://x.example/</loc></url></urlset>", "none of them on"),
            (
                b"<sitemapindex><sitemap><loc>http://x.example/s</loc></sitemap></sitemapindex>",
                "which is not on this host",
            ),
        ],
        ids=["unclosed", "html", "empty", "cut", "json", "other-pages", "other-sitemap"],
    )
    def test_incomplete_sitemap_is_an_error(self, host, open_web, body, said):
        host.pages["/sitemap.xml"] = Reply(body)
        with pytest.raises(SourceUnavailableError, match=said):
            list(open_web(sitemaps=[f"{host.url}/sitemap.xml"]).list_documents())

    @pytest.mark.parametrize("status", [404, 500])
    def test_unreadable_sitemap_is_an_error(self, host, open_web, status):
        host.pages["/sitemap.xml"] = Reply(status=status)
        with pytest.raises(SourceUnavailableError, match=f"{status}"):
            list(open_web(sitemaps=[f"{host.url}/sitemap.xml"]).list_documents())

    def test_more_pages_than_allowed_are_an_error(self, host, open_web):
        host.pages["/"] = page(PARAGRAPH, "/a", "/b")
        with pytest.raises(SourceUnavailableError, match="more than 2 pages; raise max_pages"):
            list(open_web(max_pages=2).list_documents())

    def test_page_without_a_response_only_fails_itself(self, host, open_web):
        has_given_up = threading.Event()

        def wait() -> Reply:
            has_given_up.wait(30)
            return Reply(page().encode())

        host.pages = {"/": page(PARAGRAPH, "/slow"), "/slow": wait}
        source = open_web(attempts=1, timeout=timedelta(seconds=0.3))
        assert list_paths(source, host) == ["/", "/slow"]
        (failed,) = source.fetch_documents([f"{host.url}/slow"])
        has_given_up.set()
        assert isinstance(failed, FailedFetch)
        assert "no response within 0.3 s" in str(failed.error)

    def test_incomplete_body_is_not_used(self, host, open_web):
        headers = {"Content-Length": "100000", "Connection": "close"}
        host.pages["/"] = Reply(page().encode(), headers=headers)
        with pytest.raises(SourceUnavailableError, match="peer closed connection"):
            list(open_web(attempts=1, timeout="1s").list_documents())


class TestDocuments:
    def test_page_is_read_with_title_headings_and_lists(self, host, open_web):
        host.pages["/"] = (
            '<html lang="de-DE"><head><title>Tea guide</title></head><body><nav>Menu</nav><main>'
            f"<h1>Tea guide</h1><p>{PARAGRAPH}</p><h2>Green tea</h2>"
            "<p>Set <code>brew_time = 3</code> first.</p><ul><li>one</li><li>two</li></ul>"
            "<pre><span>pour</span>\n  wait</pre></main><footer>Imprint</footer></body></html>"
        )
        (fetched,) = fetch_all(open_web()).values()
        assert isinstance(fetched, FetchedDocument)
        assert fetched.metadata == {"url": f"{host.url}/", "language": "de-DE"}
        parsed = ReaderDispatch().parse_document(fetched.content, fetched.name)
        assert parsed.title == "Tea guide"
        blocks = [
            (element.category, element.heading_path[-1:], parsed.text[element.start : element.end])
            for element in parsed.elements
        ]
        assert blocks == [
            ("title", (), "Tea guide"),
            ("text", ("Tea guide",), PARAGRAPH),
            ("title", ("Tea guide",), "Green tea"),
            ("text", ("Green tea",), "Set brew_time = 3 first."),
            ("list_item", ("Green tea",), "one"),
            ("list_item", ("Green tea",), "two"),
            ("code", ("Green tea",), "pour\n  wait"),
        ]

    def test_file_is_fetched_unchanged(self, host, open_web):
        host.pages["/"] = page(PARAGRAPH, "/report")
        host.pages["/report"] = Reply(b"%PDF-1.4", headers={"Content-Type": "application/pdf"})
        fetched = fetch_all(open_web())[f"{host.url}/report"]
        assert isinstance(fetched, FetchedDocument)
        assert (fetched.content, fetched.name) == (b"%PDF-1.4", "report.pdf")

    def test_page_without_text_is_listed_and_fails(self, host, open_web):
        host.pages["/"] = "<html><body><div id='app'></div><script>run()</script></body></html>"
        (fetched,) = fetch_all(open_web()).values()
        assert isinstance(fetched, FailedFetch)
        assert isinstance(fetched.error, EmptyDocumentError)

    def test_empty_response_is_a_page_without_text(self, host, open_web):
        host.pages["/"] = ""
        (fetched,) = fetch_all(open_web()).values()
        assert isinstance(fetched, FailedFetch)

    def test_huge_page_is_refused_before_all_of_it_is_read(self, host, open_web):
        host.pages["/"] = page(PARAGRAPH, "/huge")
        host.pages["/huge"] = Reply(b"<p>words</p>" * 200_000)
        fetched = fetch_all(open_web(max_document_bytes=10_000))[f"{host.url}/huge"]
        assert isinstance(fetched, FailedFetch)
        assert isinstance(fetched.error, DocumentTooLargeError)

    def test_huge_page_is_read_when_more_is_allowed(self, host, open_web):
        host.pages["/"] = page("words " * 3000)
        small = list_versions(open_web(max_document_bytes=10_000))
        assert small != list_versions(open_web())

    @pytest.mark.parametrize(
        "body",
        [
            f"<p>{PARAGRAPH}<div><b>open<table><tr><td>".encode(),
            f"<html><body>{'<div>' * 1000}<p>{PARAGRAPH}</p>".encode(),
            f"\0<html><p>{PARAGRAPH}</p><p>\0\xff".encode("latin-1"),
            f'<?xml version="1.0" encoding="ascii"?><html><p>{PARAGRAPH}</p></html>'.encode(),
        ],
        ids=["unclosed", "deep", "zeros", "declaration"],
    )
    def test_malformed_page_is_read_as_far_as_possible(self, host, open_web, body):
        host.pages["/"] = Reply(body)
        (fetched,) = fetch_all(open_web()).values()
        assert isinstance(fetched, FetchedDocument)
        assert PARAGRAPH.encode() in fetched.content

    @pytest.mark.parametrize("place", ["head", "header"])
    def test_declared_charset_is_used(self, host, open_web, place):
        text = "Чай — это напиток, который пьют горячим и холодным во многих странах мира."
        head = '<meta charset="windows-1251">' if place == "head" else ""
        kind = "text/html; charset=windows-1251" if place == "header" else "text/html"
        body = page(text, head=head).encode("cp1251", "replace")
        host.pages["/"] = Reply(body, headers={"Content-Type": kind})
        (fetched,) = fetch_all(open_web()).values()
        assert isinstance(fetched, FetchedDocument)
        assert text in fetched.content.decode()

    def test_page_removed_after_the_listing_only_fails_itself(self, host, open_web):
        host.pages = {"/": page(PARAGRAPH, "/a"), "/a": page("a")}
        ids = [listed.document_id for listed in open_web().list_documents()]
        host.pages["/a"] = Reply(status=500)
        kept, failed = open_web().fetch_documents(ids)
        assert isinstance(kept, FetchedDocument)
        assert isinstance(failed, FailedFetch)
        assert isinstance(failed.error, DocumentUnreadableError)
