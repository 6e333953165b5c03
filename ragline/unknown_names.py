"""What to say of a name that is not known: all that are, and the one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

# Shorter names are part of others by chance.
SHORTEST_PART_CHARS = 3


def describe_unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """`unknown source 'pep'; known: handbook, peps (did you mean 'peps'?)`, in the given order."""
    names = list(dict.fromkeys(known))
    close = find_nearest(name, names)
    hint = f" (did you mean {close!r}?)" if close else ""
    return f"unknown {kind} {name!r}; known: {', '.join(names) or 'none'}{hint}"


def find_nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that is spelled most alike; else one that contains the name, or is in it."""
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return close[0]
    related = [
        one
        for one in known
        if min(len(one), len(name)) >= SHORTEST_PART_CHARS and (name in one or one in name)
    ]
    return min(related, key=lambda one: abs(len(one) - len(name)), default=None)
