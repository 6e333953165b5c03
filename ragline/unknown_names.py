"""Makes messages about unknown names.

A message lists the known names and suggests the most similar one.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

# A shorter name is often a part of another name by chance. So only longer names are compared in
# this way.
MIN_PART_CHARS = 3


def describe_unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """A message such as `unknown source 'pep'; known: handbook, peps (did you mean 'peps'?)`."""
    names = list(dict.fromkeys(known))
    close = find_nearest(name, names)
    hint = f" (did you mean {close!r}?)" if close else ""
    return f"unknown {kind} {name!r}; known: {', '.join(names) or 'none'}{hint}"


def find_nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that is most similar to `name`, or None if no known name is similar.

    The result is the known name with the most similar spelling. If no spelling is similar enough,
    it is a known name that contains `name` or is a part of `name`. If there are several of them,
    the one with the nearest length is returned.
    """
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return close[0]
    related = [
        one
        for one in known
        if min(len(one), len(name)) >= MIN_PART_CHARS and (name in one or one in name)
    ]
    return min(related, key=lambda one: abs(len(one) - len(name)), default=None)
