"""Which collections a page offers to its caller, and which one it begins with."""

from __future__ import annotations

from retrieval_api.access.callers import Caller


def list_names(caller: Caller, chosen: str) -> list[str]:
    """The names for a select box, with the chosen one even where it is not among them."""
    names = [one.name for one in caller.list_collections()]
    return names if chosen in names or not chosen else [*names, chosen]


def first_collection(caller: Caller) -> str:
    """The first collection by name; empty where the caller may name none."""
    return next((settings.name for settings in caller.list_collections()), "")
