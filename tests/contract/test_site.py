"""The documentation site builds without a warning and loads nothing from other hosts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository_files import REPOSITORY, list_pages

# What a browser loads; a link that a reader follows is not.
LOADED = re.compile(r"<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^\s\">]+")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_of_the_documentation_is_on_the_site(site: Path) -> None:
    pages = {name.removeprefix("docs/") for name in list_pages() if name.startswith("docs/")}
    expected = {re.sub(r"(README)?\.md$", lambda m: "index.html" if m[1] else ".html", name)
                for name in pages}  # fmt: skip
    assert expected - {path.relative_to(site).as_posix() for path in site.rglob("*.html")} == set()


def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    loaded = {
        f"{path.name}: {match}"
        for path in site.rglob("*.html")
        for match in LOADED.findall(path.read_text("utf-8"))
    }
    assert loaded == set()
    styles = [path.read_text("utf-8") for path in site.rglob("*.css")]
    assert styles
    assert not any(
        re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style) for style in styles
    )


def test_sections_are_those_of_the_start_page(site: Path) -> None:
    """The navigation and docs/index.md have the same four parts."""
    start = (REPOSITORY / "docs" / "index.md").read_text("utf-8")
    parts = re.findall(r"^## (.*)$", start, re.MULTILINE)
    navigation = (REPOSITORY / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    assert re.findall(r"^  - ([\w -]+):\n", navigation, re.MULTILINE) == parts
    assert (site / "index.html").is_file()
