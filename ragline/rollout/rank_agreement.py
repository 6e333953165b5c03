"""Compares two ranked lists: their overlap, and their rank-biased overlap.

Both measures are 1 for equal lists and 0 for lists without a common item. They need no judgements,
so they say how much a ranking changes, and not whether it becomes better.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

DEPTH = 10
# The first ten ranks have 86 % of the weight. Source: Webber, Moffat and Zobel, section 4.
PERSISTENCE = 0.9


def rank_items(items: Iterable[str]) -> list[str]:
    """Return the first DEPTH distinct items, in the order of their first occurrence."""
    return list(islice(dict.fromkeys(items), DEPTH))


def measure_overlap(first: Sequence[str], second: Sequence[str]) -> float:
    """Return the number of common items, divided by the length of the longer list.

    The items of each list are distinct. Two empty lists are equal, so their overlap is 1.
    """
    longest = max(len(first), len(second))
    return len({*first} & {*second}) / longest if longest else 1.0


def measure_rank_biased_overlap(
    first: Sequence[str], second: Sequence[str], persistence: float = PERSISTENCE
) -> float:
    """Return the extrapolated rank-biased overlap of two lists of distinct items.

    An exchange of two items has more weight at the first ranks. The lists can have different
    lengths. Two empty lists are equal.

    Source: equation 32 in Webber, Moffat and Zobel, "A similarity measure for indefinite rankings",
    2010.
    """
    shorter, longer = sorted((first, second), key=len)
    if not shorter:
        return 0.0 if longer else 1.0
    common = [len({*shorter[:depth]} & {*longer[:depth]}) for depth in range(len(longer) + 1)]
    total, in_shorter = 0.0, common[len(shorter)]
    for depth in range(1, len(longer) + 1):
        agreement = common[depth] / depth
        if depth > len(shorter):
            agreement += in_shorter * (depth - len(shorter)) / (len(shorter) * depth)
        total += agreement * persistence**depth
    last = (common[-1] - in_shorter) / len(longer) + in_shorter / len(shorter)
    return (1 - persistence) / persistence * total + last * float(persistence ** len(longer))
