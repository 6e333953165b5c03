"""The page as a browser shows it: each tab is drawn, and what must be in it is there.

The screenshots lie in the test's folder, for who wants to look at them.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import unpack
from typing import Any

import httpx2
import pytest
from lxml import html
from ragline_home import Home

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CONFIGURATION = """\
collections:
  - name: notes
    chunking: {max_tokens: 48, overlap_tokens: 16}
sources:
  - name: note-files
    collection: notes
    kind: files
    uri: ./notes
  - name: facts
    collection: notes
    kind: records
    uri: ./facts.jsonl
"""
NOTES = {
    "harbour.md": "# The harbour\n\n## Tides\n\n"
    + " ".join(f"At tide {n} the harbour master opens gate {n} of the harbour." for n in range(20)),
    "hours.md": "# Quiet hours\n\nFrom ten in the evening it is quiet in the harbour.",
}
TABS = {
    "search": "/?collection=notes&q=when+does+the+harbour+master+open+the+gate",
    "documents": "/documents?collection=notes&document_id=harbour.md",
    "quality": "/freshness-and-quality?collection=notes",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[str]:
    """A service over a synced collection, one of whose documents would like to run scripts."""
    folder = tmp_path_factory.mktemp("browser")
    home = make_home(folder, model_cache)
    home.run("sync")
    process = home.start("serve", "--port", "0")
    try:
        assert process.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert found is not None
        wait_until_ready(found[0])
        yield found[0]
    finally:
        process.kill()
        process.communicate()


def make_home(folder: Path, model_cache: Path) -> Home:
    (folder / "ragline.yaml").write_text(CONFIGURATION, "utf-8")
    (folder / "notes").mkdir()
    for name, note in NOTES.items():
        (folder / "notes" / name).write_text(note, "utf-8")
    naughty = {
        "_id": "<b>naughty</b>",
        "title": "<img src=x onerror=document.title='broken'>",
        "text": "<script>document.title='broken'</script> </p><h1>naughty</h1> {{ 7*7 }}",
        "link": "javascript:document.title='broken'",
    }
    (folder / "facts.jsonl").write_text(json.dumps(naughty), "utf-8")
    (folder / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (folder / ".ragline" / "models").symlink_to(model_cache)
    return Home(folder, None)


def wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 120
    while httpx2.get(f"{url}/readyz").status_code != 200:
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.2)


def browse(profile: Path, address: str, *options: str) -> str:
    """What headless Chromium says of an address."""
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        f"--user-data-dir={profile}", *options, address,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def draw(profile: Path, address: str, name: str, *options: str) -> Path:
    """A screenshot of an address."""
    picture = profile.parent / f"{name}.png"
    browse(profile, address, f"--screenshot={picture}", *options)
    return picture


def dump(profile: Path, address: str) -> Any:
    """The elements of a page when its script has run."""
    return html.fromstring(browse(profile, address, "--dump-dom"))


def words(element: Any) -> str:
    return " ".join(element.text_content().split())


def count_tones(picture: Path) -> tuple[tuple[int, int], int]:
    """Width and height of a PNG, and how many values its filtered bytes have: few when blank."""
    content = picture.read_bytes()
    size = unpack(">II", content[16:24])
    data, position = b"", 8
    while position < len(content):
        (length,) = unpack(">I", content[position : position + 4])
        if content[position + 4 : position + 8] == b"IDAT":
            data += content[position + 8 : position + 8 + length]
        position += length + 12
    return (size[0], size[1]), len(set(zlib.decompress(data)))


@pytest.mark.parametrize("scheme", ["0", "1"], ids=["dark", "light"])
@pytest.mark.parametrize("tab", list(TABS))
def test_tab_is_drawn(url: str, tmp_path: Path, tab: str, scheme: str) -> None:
    picture = draw(
        tmp_path / "profile", url + TABS[tab], tab,
        "--window-size=1280,1600", f"--blink-settings=preferredColorScheme={scheme}",
    )  # fmt: skip
    size, tones = count_tones(picture)
    assert size == (1280, 1600)
    assert tones > 50


def test_search_in_a_browser_has_hits_and_the_focus_in_its_box(url: str, tmp_path: Path) -> None:
    page = dump(tmp_path / "profile", url + TABS["search"])
    assert page.xpath("//input[@id='q' and @autofocus]")
    first = page.find_class("hit")[0]
    assert "harbour master" in words(first)
    assert {words(mark) for mark in first.iter("mark")} & {"harbour", "master", "gate"}
    assert page.find_class("bar")


def test_chunks_in_a_browser_show_what_they_repeat(url: str, tmp_path: Path) -> None:
    page = dump(tmp_path / "profile", url + TABS["documents"])
    chunks = page.find_class("chunk")
    assert len(chunks) > 2
    assert re.search(r"repeats \d+ tokens? of the chunk before", words(chunks[1]))
    assert page.find_class("repeated")
    assert "Tides" in words(chunks[1].find_class("path")[0])


def test_clocks_and_plots_in_a_browser(url: str, tmp_path: Path) -> None:
    httpx2.get(url + TABS["search"])
    time.sleep(1)  # until the search is on record
    page = dump(tmp_path / "profile", url + TABS["quality"])
    assert len(page.find_class("source")) == 2
    assert len(page.find_class("clock")) == 4
    assert len(page.find_class("chart")) >= 3


def test_naughty_document_does_nothing_in_a_browser(url: str, tmp_path: Path) -> None:
    for path in (
        "/?collection=notes&q=naughty+script",
        "/documents?collection=notes&document_id=%3Cb%3Enaughty%3C/b%3E",
        "/?collection=notes&q=%3Cscript%3Edocument.title%3D%27broken%27%3C/script%3E",
    ):
        page = dump(tmp_path / "profile", url + path)
        assert page.xpath("//title")[0].text != "broken"
        assert "document.title='broken'" in words(page)
        assert page.xpath("//main//img | //main//script") == []
