"""Normalised URLs, and the names of downloaded files."""

from __future__ import annotations

import pytest

from ragline.sources.web.media_types import may_be_document, name_file, read_media_type
from ragline.sources.web.urls import normalise_url, read_path


@pytest.mark.parametrize(
    ("link", "normalised"),
    [
        ("http://A.example", "http://a.example/"),
        ("HTTP://a.example:80/b/../c#d", "http://a.example/c"),
        ("https://a.example:8443/x?b=2&a=1", "https://a.example:8443/x?a=1&b=2"),
        ("../up?", "http://a.example/up"),
        ("//b.example/x", "http://b.example/x"),
        ("?page=2&utm_source=mail&fbclid=1", "http://a.example/dir/page?page=2"),
        ("?source=x&ref=y&cid=3", "http://a.example/dir/page?cid=3&ref=y&source=x"),
        ("  /with space ", "http://a.example/with%20space"),
        ("/tee%2fgr%c3%bcn", "http://a.example/tee%2Fgr%C3%BCn"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://[::1]:8000/", "http://[::1]:8000/"),
    ],
)
def test_link_is_normalised(link, normalised):
    found = normalise_url(link, "http://a.example/dir/page")
    assert found == normalised
    assert normalise_url(found) == found


@pytest.mark.parametrize(
    "link",
    ["mailto:a@b.example", "javascript:run()", "http://[bad", "http://a.example:99999/"],
)
def test_link_without_a_web_page_gives_none(link):
    assert normalise_url(link, "http://a.example/") is None


def test_patterns_see_the_decoded_path_without_the_query():
    assert read_path("http://a.example/tee/gr%C3%BCn?x=1") == "tee/grün"
    assert read_path("http://a.example/") == ""


@pytest.mark.parametrize(
    ("path", "content_type", "name"),
    [
        ("/report", "application/pdf", "report.pdf"),
        ("/report.pdf", "application/pdf; v=1", "report.pdf"),
        ("/get.php?id=3", "application/pdf", "get.php.pdf"),
        ("/notes.rst", "text/plain", "notes.rst"),
        ("/LICENSE", "text/plain", "LICENSE.txt"),
        ("/data.bin", "application/octet-stream", "data.bin"),
        ("/", "text/csv", "file.csv"),
    ],
)
def test_file_gets_a_suffix_of_its_media_type(path, content_type, name):
    assert name_file(f"http://a.example{path}", read_media_type(content_type)) == name


@pytest.mark.parametrize("path", ["/a.png", "/b/c.mp4", "/d.css", "/e.js", "/g.zip"])
def test_suffix_of_another_media_type_is_left_out(path):
    assert not may_be_document(f"http://a.example{path}")


@pytest.mark.parametrize("path", ["/", "/a", "/a.html", "/a.php", "/a.pdf", "/v1.2", "/about.me"])
def test_other_suffix_may_be_a_document(path):
    assert may_be_document(f"http://a.example{path}")
