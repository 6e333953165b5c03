"""The cache of pages between listing and fetching."""

from __future__ import annotations

import shutil

import pytest

from ragline.errors import EmptyDocumentError
from ragline.sources.protocol import FailedFetch, FetchedDocument
from ragline.sources.web.page_cache import PageCache


def page(name: str, size: int = 100) -> FetchedDocument:
    return FetchedDocument(name, name.encode() * size, "page.html", metadata={"url": name})


@pytest.mark.parametrize("memory_bytes", [1_000_000, 50])
def test_page_is_returned_once_from_memory_or_disk(tmp_path, memory_bytes):
    cache = PageCache(tmp_path / "home", memory_bytes)
    for name in ("a", "b", "c"):
        cache.store(page(name))
    assert cache.pop("b") == page("b")
    assert cache.pop("b") is None
    cache.store(page("d"))
    assert [cache.pop(name) for name in "cad"] == [page("c"), page("a"), page("d")]


def test_failure_is_cached(tmp_path):
    cache = PageCache(tmp_path)
    failed = FailedFetch("a", EmptyDocumentError("no text"))
    cache.store(failed)
    assert cache.pop("a") is failed


def test_later_page_replaces_a_page_with_the_same_id(tmp_path):
    cache = PageCache(tmp_path)
    cache.store(page("a", 1))
    cache.store(page("a", 2))
    assert cache.pop("a") == page("a", 2)


def test_cleared_cache_is_empty(tmp_path):
    cache = PageCache(tmp_path)
    cache.store(page("a"))
    cache.clear()
    assert cache.pop("a") is None


def test_folder_may_disappear_at_any_time(tmp_path):
    cache = PageCache(tmp_path / "home", 50)
    for name in ("a", "b"):
        cache.store(page(name))
        shutil.rmtree(tmp_path / "home")
    assert [cache.pop(name) for name in "ab"] == [page("a"), page("b")]
