"""Pages kept between listing and fetching."""

from __future__ import annotations

import shutil

import pytest

from ragline.errors import EmptyDocumentError
from ragline.sources.protocol import FailedFetch, FetchedDocument
from ragline.sources.web.page_cache import KeptPages


def page(name: str, size: int = 100) -> FetchedDocument:
    return FetchedDocument(name, name.encode() * size, "page.html", metadata={"url": name})


@pytest.mark.parametrize("memory_bytes", [1_000_000, 50])
def test_page_is_handed_over_once_from_memory_or_disk(tmp_path, memory_bytes):
    kept = KeptPages(tmp_path / "home", memory_bytes)
    for name in ("a", "b", "c"):
        kept.keep(page(name))
    assert kept.take("b") == page("b")
    assert kept.take("b") is None
    kept.keep(page("d"))
    assert [kept.take(name) for name in "cad"] == [page("c"), page("a"), page("d")]


def test_failure_is_kept_too(tmp_path):
    kept = KeptPages(tmp_path)
    failed = FailedFetch("a", EmptyDocumentError("no text"))
    kept.keep(failed)
    assert kept.take("a") is failed


def test_later_page_of_the_same_id_wins(tmp_path):
    kept = KeptPages(tmp_path)
    kept.keep(page("a", 1))
    kept.keep(page("a", 2))
    assert kept.take("a") == page("a", 2)


def test_nothing_is_left_after_clearing(tmp_path):
    kept = KeptPages(tmp_path)
    kept.keep(page("a"))
    kept.clear()
    assert kept.take("a") is None


def test_folder_may_vanish_at_any_time(tmp_path):
    kept = KeptPages(tmp_path / "home", 50)
    for name in ("a", "b"):
        kept.keep(page(name))
        shutil.rmtree(tmp_path / "home")
    assert [kept.take(name) for name in "ab"] == [page("a"), page("b")]
