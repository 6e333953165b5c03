"""How often a test repeats itself: a few times in an ordinary run, many times in a long one.

RAGLINE_SOAK (`make soak`) asks for the long run. It repeats the same tests; none of them is there
for it alone.
"""

from __future__ import annotations

import os

IS_SOAK = bool(os.environ.get("RAGLINE_SOAK"))


def choose_count(ordinary: int, soak: int) -> int:
    """The number of examples, sequences or seeds of this run."""
    return soak if IS_SOAK else ordinary
