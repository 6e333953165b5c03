"""The settings of a collection that are part of a release: the search settings and the reranker.

A promotion puts them into effect, and a rollback puts the earlier settings into effect again.
`ragline.lifecycle` stores them with each release, and `ragline.search` uses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragline.configuration.collection_settings import CollectionSettings, SearchSettings

# The JSON form of released settings: `search` and `reranker`.
ReleasedSettings = Mapping[str, Any]


def read_released_part(settings: CollectionSettings) -> dict[str, Any]:
    """Return the settings of a collection that a release stores, including all default values."""
    return {"search": settings.search.model_dump(mode="json"), "reranker": settings.reranker}


def apply_release(
    settings: CollectionSettings, released: ReleasedSettings | None
) -> CollectionSettings:
    """Return the settings of a collection, with the search settings and reranker of its release.

    Without a release, nothing changes. A newer version of Ragline can have written settings that
    this version does not know. They are left out.
    """
    if released is None:
        return settings
    known = {
        name: value
        for name, value in released["search"].items()
        if name in SearchSettings.model_fields
    }
    return settings.model_copy(
        update={"search": SearchSettings(**known), "reranker": released["reranker"]}
    )


def find_changes(before: ReleasedSettings, after: ReleasedSettings) -> dict[str, Any]:
    """Return the settings that differ between two releases, each with its value in `after`."""
    old, new = (apply_release(CollectionSettings(name="any"), one) for one in (before, after))
    values = read_released_part(new)
    flat = {"reranker": values["reranker"]}
    flat |= {f"search.{name}": value for name, value in values["search"].items()}
    return {name: flat[name] for name in list_changed_settings(old, new)}


def list_unreleased(settings: CollectionSettings, released: ReleasedSettings | None) -> list[str]:
    """Return the names of the settings that differ from the release; empty without a release."""
    return list_changed_settings(apply_release(settings, released), settings)


def list_changed_settings(before: CollectionSettings, after: CollectionSettings) -> list[str]:
    """Compare the settings that are part of a release. Return the names of those that differ."""
    old, new = (read_released_part(one) for one in (before, after))
    names = [
        f"search.{name}" for name in new["search"] if new["search"][name] != old["search"][name]
    ]
    return names + (["reranker"] if new["reranker"] != old["reranker"] else [])
