"""The part of a collection's settings that a release stores."""

from __future__ import annotations

from ragline.configuration import CollectionSettings, SearchSettings
from ragline.configuration.released_settings import (
    apply_release,
    list_unreleased,
    read_released_part,
)

SETTINGS = CollectionSettings(
    name="notes", search=SearchSettings(vector_weight=0.7), reranker="cross/encoder"
)


def test_release_has_all_search_settings_and_the_reranker() -> None:
    released = read_released_part(SETTINGS)
    assert released["search"].keys() == SearchSettings.model_fields.keys()
    file = CollectionSettings(name="notes", language="german", search=SearchSettings(candidates=7))
    used = apply_release(file, released)
    assert (used.search, used.reranker) == (SETTINGS.search, "cross/encoder")
    assert used.language == "german"
    assert used.search_fingerprint == SETTINGS.search_fingerprint


def test_settings_of_another_version_are_left_out_or_have_their_defaults() -> None:
    released = {"search": {"vector_weight": 0.7, "unknown": 1}, "reranker": "late-interaction"}
    used = apply_release(CollectionSettings(name="notes"), released)
    assert used.search == SearchSettings(vector_weight=0.7)


def test_differences_from_the_release_are_named() -> None:
    file = CollectionSettings(name="notes", search=SearchSettings(candidates=7))
    assert list_unreleased(file, read_released_part(file)) == []
    assert list_unreleased(file, read_released_part(SETTINGS)) == [
        "search.vector_weight", "search.candidates", "reranker",
    ]  # fmt: skip
    assert list_unreleased(file, None) == []
