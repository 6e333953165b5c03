"""Names of documents and formats, and links to originals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ragline.parsing.formats import MEDIA_TYPES
from ragline.sources.registry import KINDS
from ragline.sources.settings import SourceSettings
from retrieval_api.page.facet_groups import build_condition, label_facet, write_facet
from retrieval_api.page.formatting import format_document_name, format_media_type
from retrieval_api.page.links import is_safe_link
from retrieval_api.page.originals import find_original


@pytest.mark.parametrize(
    ("title", "document_id", "name"),
    [
        ("A title", "a/b.md", "A title"),
        (None, "a/b.md", "b.md"),
        (" ", "a/b/", "b"),
        (None, "article-7", "article-7"),
        (None, "https://wiki.example/pages/Quiet%20hours?x=1", "Quiet hours"),
        (None, "https://wiki.example/", "wiki.example"),
        (None, "/", "/"),
        ("", "", ""),
    ],
)
def test_document_without_a_title_has_its_file_name(
    title: str | None, document_id: str, name: str
) -> None:
    assert format_document_name(title, document_id) == name


def test_every_readable_format_has_a_name() -> None:
    for file_type, media_type in MEDIA_TYPES.items():
        name = format_media_type(media_type)
        assert name, file_type
        assert "/" not in name
    assert format_media_type(None) is None
    assert format_media_type("image/png") == "image/png"


def make_settings(kind: str, **stated: Any) -> SourceSettings:
    values = {"name": "here", "collection": "c", "kind": kind, **stated}
    return KINDS[kind].settings.model_validate(values, context={"folder": Path("/srv")})


@pytest.mark.parametrize(
    ("uri", "branch", "address"),
    [
        ("https://github.com/o/r.git", None, "https://github.com/o/r/blob/HEAD/docs/a%20b.md"),
        ("git@github.com:o/r.git", "main", "https://github.com/o/r/blob/main/docs/a%20b.md"),
        ("https://user@gitlab.com/o/r", "x/y", "https://gitlab.com/o/r/-/blob/x/y/docs/a%20b.md"),
        ("https://git.example/o/r", "main", None),
        ("/srv/repository", None, None),
    ],
)
def test_file_of_a_repository_links_to_its_page(
    uri: str, branch: str | None, address: str | None
) -> None:
    settings = make_settings("git", uri=uri, branch=branch)
    found = find_original(settings, "docs/a b.md", {}, may_see_paths=True)
    assert found is not None
    assert found.address == address
    assert "user" not in found.text
    hidden = find_original(settings, "docs/a b.md", {}, may_see_paths=False)
    assert (hidden is None) is (address is None)


def test_path_of_a_file_is_shown_to_administrators() -> None:
    local = make_settings("files", uri="./notes")
    found = find_original(local, "a/b.md", {}, may_see_paths=True)
    assert found is not None
    assert (found.text, found.address) == ("/srv/notes/a/b.md", None)
    assert find_original(local, "a/b.md", {}, may_see_paths=False) is None
    remote = make_settings("files", uri="https://files.example/notes/")
    linked = find_original(remote, "a b.md", {}, may_see_paths=False)
    assert linked is not None
    assert linked.address == "https://files.example/notes/a%20b.md"


@pytest.mark.parametrize("key", ["url", "link", "source_url"])
def test_link_in_the_metadata_is_the_original(key: str) -> None:
    found = find_original(None, "7", {key: "https://shop.example/7"}, may_see_paths=False)
    assert found is not None
    assert found.address == "https://shop.example/7"
    for value in ("javascript:alert(1)", "//evil.example", 7, None, "ftp://a.example"):
        assert find_original(None, "7", {key: value}, may_see_paths=True) is None


def test_web_page_is_its_own_original() -> None:
    found = find_original(None, "https://wiki.example/a", {}, may_see_paths=False)
    assert found is not None
    assert found.address == "https://wiki.example/a"


@pytest.mark.parametrize(
    ("address", "is_safe"),
    [
        ("https://a.example/b", True), ("http://a.example", True), ("mailto:a@b.example", True),
        ("javascript:alert(1)", False), ("JaVaScRiPt:alert(1)", False), ("data:text/html,x", False),
        ("https://", False), ("//a.example", False), ("a.md", False), ("", False),
        ("https://a.example/\n", False), ("https://[", False), ("https://a/" + "x" * 3_000, False),
        ("file:///etc/passwd", False), ("mailto:", False),
    ],
)  # fmt: skip
def test_only_web_and_mail_addresses_are_links(address: str, *, is_safe: bool) -> None:
    assert is_safe_link(address) is is_safe


@pytest.mark.parametrize(
    ("field", "value", "label"),
    [
        ("metadata.topic", "sick", "topic: sick"),
        ("metadata.year", 2024, "year: 2024"),
        ("metadata.open", True, "open: true"),
        ("media_type", "application/pdf", "Format: PDF"),
        ("source", 'a:"b"', 'Source: a:"b"'),
    ],
)
def test_facet_is_read_back_from_a_url(field: str, value: Any, label: str) -> None:
    facet = write_facet(field, value)
    assert build_condition([facet]) == {field: value}
    assert label_facet(facet) == label


def test_facets_of_one_field_are_alternatives() -> None:
    assert build_condition(['metadata.a:"x"', "metadata.a:2", "source:b"]) == {
        "metadata.a": {"in": ["x", 2]},
        "source": "b",
    }
    with pytest.raises(ValueError, match="contains no field"):
        build_condition(["nothing"])
