"""The parts of docs/ that repeat the code are what the code says now."""

from __future__ import annotations

import runpy

from repository_files import REPOSITORY, list_pages, read_text

SCRIPT = runpy.run_path(str(REPOSITORY / "scripts" / "write_reference.py"))
PAGES = [name for name in list_pages() if name.startswith("docs/")]


def test_parts_of_the_reference_are_current() -> None:
    stale = [name for name in PAGES if SCRIPT["rewrite"](read_text(name)) != read_text(name)]
    assert stale == [], "run `make reference`"


def test_every_part_is_on_one_page() -> None:
    used = [part[1] for name in PAGES for part in SCRIPT["PART"].findall(read_text(name))]
    assert sorted(used) == sorted(SCRIPT["PARTS"])


def test_every_setting_has_a_description() -> None:
    texts = "".join(read_text(f"docs/{name}.md") for name in ("configuration", "sources"))
    rows = [line for line in texts.splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.endswith("| |")] == []
