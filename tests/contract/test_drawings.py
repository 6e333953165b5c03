"""The pictures of the architecture page show what its tables say."""

from __future__ import annotations

import runpy
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "architecture.md"


def test_pictures_are_drawn_from_the_tables_of_the_page() -> None:
    script = runpy.run_path(str(REPOSITORY / "scripts" / "draw_architecture.py"))
    drawn = script["draw_all"](PAGE.read_text("utf-8"))
    pictures = REPOSITORY / "docs" / "pictures"
    stale = [name for name, svg in drawn.items() if (pictures / name).read_text("utf-8") != svg]
    assert stale == [], "run `make drawings`"
    named = [f"pictures/{name}" for name in drawn if f"pictures/{name}" in PAGE.read_text("utf-8")]
    assert len(named) == len(drawn)
