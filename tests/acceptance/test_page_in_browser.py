"""The page in a real browser: what it draws, the keyboard, and what its script sends.

The screenshots lie in the test's folder, for who wants to look at them.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

import httpx2
import pytest
from page_layout import FIND_BEYOND, FIND_FAINT
from planted_candidates import plant_candidate
from planted_reports import make_report
from playwright.sync_api import Browser, Page, expect, sync_playwright
from ragline_home import Home

from ragline.configuration import load_configuration
from ragline.gate.stored_reports import store_report
from ragline.storage.database import open_database

# The headless shell is the same browser without windows. A page takes half the processor time.
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))),
    None,
)
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
    "home": "/?collection=notes",
    "explain": "/explain?collection=notes&q=when+does+the+gate+open&expected=hours",
    "compare": "/compare?collection=notes&q=when+does+the+gate+open&other_mode=keyword",
    "list": "/documents?collection=notes",
    "search": "/?collection=notes&q=when+does+the+harbour+master+open+the+gate",
    "documents": "/documents?collection=notes&document_id=harbour.md",
    "quality": "/freshness-and-quality?collection=notes",
    "review": "/review?collection=notes",
    "generations": "/generations?collection=notes",
    "report": "/gate-reports/1",
    "card": "/generations/1/card?collection=notes",
}
# No browser breaks such a word on its own.
LONG_WORD = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft" * 2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine"),
]


@pytest.fixture(scope="module")
def url(
    tmp_path_factory: pytest.TempPathFactory, copy_prepared_home: Callable[[Path], None]
) -> Iterator[str]:
    """A service over a synced collection, one of whose documents would like to run scripts."""
    folder = tmp_path_factory.mktemp("browser")
    copy_prepared_home(folder / ".ragline")
    home = make_home(folder)
    home.run("sync")
    plant_refused_candidate(folder)
    process = home.start("serve", "--port", "0")
    assert process.stderr is not None
    # If the log is not read, the service stops when the pipe is full.
    reader = Thread(target=process.stderr.read)
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert found is not None
        reader.start()
        wait_until_ready(found[0])
        yield found[0]
    finally:
        process.kill()
        if reader.ident is not None:
            reader.join()
        process.communicate()


def make_home(folder: Path) -> Home:
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
    return Home(folder, None)


def plant_refused_candidate(folder: Path) -> None:
    """Plant a candidate, and a report that refuses it, with a long word in all of its texts."""
    with open_database(load_configuration(folder / "ragline.yaml")) as database:
        candidate = plant_candidate(database)
        store_report(database, make_report(candidate, "notes", LONG_WORD), LONG_WORD)


def wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 300
    while httpx2.get(f"{url}/readyz").status_code != 200:
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.2)


def wait_until_recorded(url: str) -> None:
    """Until the searches that were answered are on record."""
    deadline = time.monotonic() + 60
    time.sleep(0.3)
    while "ragline_records_waiting 0.0" not in httpx2.get(f"{url}/metrics").text:
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """A browser's tab without a history; nothing in it may go wrong or ask another host."""
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
    page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    page.on("request", lambda asked: None if asked.url.startswith(url) else wrong.append(asked.url))
    yield page
    context.close()
    assert wrong == []


def count_clicks(url: str) -> int:
    """The clicks on record; feedback is written at once."""
    answer = httpx2.get(f"{url}/v1/quality", params={"collection": "notes"}).json()
    (figures,) = answer["collections"]
    return int(figures["clicks"])


@pytest.mark.parametrize("tab", list(TABS))
def test_tab_is_drawn(page: Page, tmp_path: Path, tab: str) -> None:
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(TABS[tab])
            page.evaluate(
                "document.querySelectorAll('main details').forEach(one => one.open = true)"
            )
            page.screenshot(path=tmp_path / f"{tab}-{scheme}-{width}.png", full_page=True)
            check_drawing(page, scheme, width)


def check_drawing(page: Page, scheme: str, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(FIND_BEYOND) == []
    assert page.evaluate(FIND_FAINT) == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    lightness = sum(int(value) for value in re.findall(r"\d+", background)[:3])
    assert lightness < 200 if scheme == "dark" else lightness > 600


def test_first_hit_is_in_view_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(TABS["search"])
    expect(page.locator(".hit").first.locator("h3")).to_be_in_viewport(ratio=1)
    expect(page.locator(".hit").first.locator(".text").first).to_be_in_viewport()
    expect(page.locator("#mode")).to_be_hidden()
    page.locator(".options summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#mode")).to_be_visible()


def test_wide_table_shows_that_it_scrolls_and_does_by_keyboard(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    asked = {"collection": "notes", "q": "hours", "document_id": next(iter(NOTES))}
    page.goto(f"/explain?{urlencode({**asked, 'expected': asked['document_id']})}")
    table = page.locator(".scrolled").first
    assert table.evaluate("box => box.scrollWidth > box.clientWidth")
    assert "gradient" in table.evaluate("box => getComputedStyle(box).backgroundImage")
    table.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert table.evaluate("box => box.scrollLeft") > 0


def test_missing_document_is_explained_by_keyboard(page: Page) -> None:
    page.goto(TABS["search"])
    page.get_by_text("Missing a document?").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("hours")
    page.keyboard.press("Enter")
    expect(page.locator(".why")).to_contain_text("hours.md")


def test_copy_button_is_made_by_the_script(page: Page) -> None:
    page.goto(TABS["search"])
    page.get_by_text("Use in code").click()
    button = page.locator(".code-samples button").first
    button.click()
    expect(button).to_have_text(re.compile("Copied|Select the text to copy it"))


def test_search_has_marked_hits_with_scores_and_receipts(page: Page) -> None:
    page.goto(TABS["search"])
    first = page.locator(".hit").first
    expect(first).to_contain_text("harbour master")
    assert {*first.locator("mark").all_inner_texts()} & {"harbour", "master", "gate"}
    expect(first.locator("svg.bar").first).to_be_visible()
    receipt = first.get_by_text("SHA-256 of the bytes")
    expect(receipt).to_be_hidden()
    first.locator("summary", has_text="Receipt").click()
    expect(receipt).to_be_visible()


def test_keyboard_alone_is_enough(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("when is it quiet")
    page.keyboard.press("Enter")
    expect(page.locator(".hit").first).to_contain_text("Quiet hours")
    page.locator(".hit a").first.focus()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("gate 7/8")
    expect(page.get_by_role("searchbox")).to_have_value("gate 7/8")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=gate+7*")
    page.locator("h3 a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".chunk").first).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement !== document.body")


def test_focus_can_be_seen(page: Page) -> None:
    page.goto(TABS["search"])
    for _ in range(3):
        page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def test_verdict_is_noted_without_leaving_the_page(page: Page) -> None:
    page.goto(TABS["search"])
    before = page.url
    form = page.locator("form.verdict").first
    useful = form.get_by_role("button", name="Useful", exact=True)
    useful.click()
    expect(form.get_by_role("status")).to_have_text("Recorded.")
    expect(useful).to_have_attribute("aria-pressed", "true")
    form.get_by_role("button", name="Not useful").click()
    expect(useful).to_have_attribute("aria-pressed", "false")
    assert page.url == before


def test_opened_hit_is_a_click_on_record(page: Page, url: str) -> None:
    page.goto(TABS["search"])
    wait_until_recorded(url)
    clicks = count_clicks(url)
    page.locator("h3 a").first.click()
    expect(page.locator(".chunk:target")).to_be_in_viewport()
    deadline = time.monotonic() + 60
    while count_clicks(url) == clicks:
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.1)


def test_page_works_without_its_script(browser: Browser, url: str) -> None:
    context = browser.new_context(base_url=url, java_script_enabled=False)
    page = context.new_page()
    page.goto(TABS["search"])
    page.locator("form.verdict").first.get_by_role("button", name="Not useful").click()
    expect(page.get_by_role("main")).to_contain_text("Recorded")
    context.close()


def test_chunks_show_what_they_repeat(page: Page) -> None:
    page.goto(TABS["documents"])
    chunks = page.locator(".chunk")
    assert chunks.count() > 2
    expect(chunks.nth(1)).to_contain_text(re.compile(r"repeats \d+ tokens? of the previous chunk"))
    expect(page.locator(".repeated").first).to_be_visible()
    expect(chunks.nth(1).locator(".path")).to_contain_text("Tides")


def test_clocks_and_plots(page: Page, url: str) -> None:
    httpx2.get(url + TABS["search"])
    wait_until_recorded(url)
    page.goto(TABS["quality"])
    expect(page.locator(".source")).to_have_count(2)
    expect(page.locator(".timed")).to_have_count(4)
    assert page.locator("svg.chart").count() >= 3


def test_naughty_document_does_nothing(page: Page) -> None:
    for path in (
        "/?collection=notes&q=naughty+script",
        "/documents?collection=notes&document_id=%3Cb%3Enaughty%3C/b%3E",
        "/?collection=notes&q=%3Cscript%3Edocument.title%3D%27broken%27%3C/script%3E",
    ):
        page.goto(path)
        assert page.title() != "broken"
        expect(page.get_by_role("main")).to_contain_text("document.title='broken'")
        expect(page.locator("main img, main script")).to_have_count(0)


def propose(url: str, *queries: str) -> None:
    """Search for words that no document has, so that they are proposed for the golden set."""
    for query in queries:
        asked = {"collection": "notes", "query": query, "mode": "keyword"}
        assert httpx2.post(f"{url}/v1/search", json=asked).json()["hits"] == []
    wait_until_recorded(url)


def test_proposals_are_judged_by_keyboard(page: Page, url: str, tmp_path: Path) -> None:
    propose(url, "zebra crossing", "zebra stable")
    page.goto("/review?collection=notes&kind=zero_results")
    page.screenshot(path=tmp_path / "review.png", full_page=True)
    query = page.locator("#proposed").inner_text()
    hits = page.locator(".judged .hit")
    expect(hits.nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(hits.nth(1)).to_be_focused()
    page.keyboard.press("2")
    expect(hits.nth(1).get_by_label("answers it fully")).to_be_checked()
    page.keyboard.press("-")
    expect(hits.nth(1).get_by_label("not judged")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("at least one document the grade 1 or 2")
    page.keyboard.press("s")
    expect(page.locator("#proposed")).not_to_have_text(query)
    page.keyboard.press("u")
    expect(page.get_by_label("No answer in this collection")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("query without an answer")
    expect(page.locator("#proposed")).to_have_text(query)
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Rejected")
    expect(page.locator("#proposed")).to_have_count(0)


def test_proposal_is_judged_by_touch_on_a_phone(page: Page, url: str) -> None:
    propose(url, "zebra on the phone")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/review?collection=notes&kind=zero_results")
    first = page.locator(".judged .hit").first
    first.get_by_text("answers it fully").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Added to the golden set")


def test_candidate_is_promoted_and_rolled_back_with_a_reason(page: Page) -> None:
    page.goto(TABS["generations"])
    candidate = page.locator(".build").filter(has_text="candidate").first
    name = candidate.get_by_role("heading").inner_text()
    candidate.get_by_text("Decide about generation").click()
    form = candidate.locator("form").filter(has=page.get_by_role("button", name="Promote"))
    form.get_by_role("button", name="Promote").click()
    # The browser does not send a form without a reason.
    expect(form.get_by_label("Reason, for the trail")).to_be_focused()
    form.get_by_label("Reason, for the trail").fill("a trial")
    form.get_by_label("Promote it although").check()
    form.get_by_role("button", name="Promote").click()
    expect(page.get_by_role("status")).to_have_text("The generation is live now.")
    live = page.locator(".build").filter(has=page.locator(".badge.good", has_text="live"))
    expect(live.get_by_role("heading")).to_have_text(name)
    expect(live).to_contain_text("by local caller: a trial")
    live.get_by_text("Decide about generation").click()
    live.get_by_label("Reason, for the trail").fill("worse")
    live.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("status")).to_have_text("Searches use the previous release again.")
    expect(live.get_by_role("heading")).to_have_text("Generation 1")
