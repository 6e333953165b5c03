"""Makes messages about unknown names.

A message lists the known names and suggests the most similar one.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

# Shorter names are not searched in other names, because they are often part of them by chance.
MIN_PART_CHARS = 3


def describe_unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """A message such as `unknown source 'pep'; known: handbook, peps (did you mean 'peps'?)`."""
    names = list(dict.fromkeys(known))
    close = find_nearest(name, names)
    hint = f" (did you mean {close!r}?)" if close else ""
    return f"unknown {kind} {name!r}; known: {', '.join(names) or 'none'}{hint}"


def find_nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that is most similar to `name`, or None if no known name is similar.

    A name is similar if its spelling is similar. If no known name has a similar spelling, the names
    that contain `name` or are a part of it are similar. Of these, the name whose length is nearest
    is returned.
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
