"""The number of repetitions of a test: few in an ordinary run, many in a long run.

RAGLINE_SOAK (`make soak`) selects the long run. Both runs contain the same kinds of tests.
"""

from __future__ import annotations

import os

IS_SOAK = bool(os.environ.get("RAGLINE_SOAK"))


def choose_count(ordinary: int, soak: int) -> int:
    """The number of examples, sequences or seeds of this run."""
    return soak if IS_SOAK else ordinary
