"""The parts of docs/ that repeat the code are what the code says now."""

from __future__ import annotations

import re
import runpy

from permitted_requests import list_permitted
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


def test_overview_of_the_api_names_the_scopes() -> None:
    """Each row of a request says whether it needs `judge`, `approve` or `admin`."""
    needed = {
        anonymise(request): scope
        for scope, requests, _ in list_permitted()
        for request in requests
        if scope in {"judge", "approve", "admin"}
    }
    rows = [line for line in read_text("docs/api.md").splitlines() if line.startswith("| `")]
    stated = {
        anonymise(request): scope[1]
        for row in rows
        if (scope := re.search(r"; needs the scope `(\w+)`", row))
        for request in re.findall(r"`((?:GET|POST|PUT|DELETE) [^`]+)`", row.split("|")[1])
    }
    assert stated == needed


def anonymise(request: str) -> str:
    """A request without the names of its parameters."""
    return re.sub(r"{\w+}", "{}", request)
