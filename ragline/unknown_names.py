"""What to say of a name that is not known: all that are, and the one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def describe_unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """`unknown source 'pep'; known: handbook, peps (did you mean 'peps'?)`, in the given order."""
    names = list(dict.fromkeys(known))
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {kind} {name!r}; known: {', '.join(names) or 'none'}{hint}"
