"""The page over loopback: its content, access to it, and that no code of others runs in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lxml import html
from page_elements import HERE, cells, find, look, plots, read, sign_in, words
from repetition_counts import choose_count
from running_service import RunningService, run_service, wait_until
from sqlalchemy import text

from ragline.access.keys import create_key, revoke_key
from ragline.configuration import Configuration
from ragline.lifecycle.run_context import RunContext

PAGES = (
    "/",
    "/explain?q=leave&expected=sick",
    "/compare?q=leave&other_mode=keyword",
    "/?q=parental+leave",
    "/documents",
    "/documents?document_id=leave",
    "/freshness-and-quality",
)
CONFIGURATION = """
collections:
  - name: handbook
sources:
  - name: handbook-articles
    collection: handbook
    kind: records
    uri: ./handbook.jsonl
    fields: {id: _id, title: title, text: text}
"""
QUALITY = "/freshness-and-quality"
OUTSIDE = re.compile(r"""(?:src|href|action)=["'](?:https?:)?//""")


def test_first_page_focuses_the_search_field_and_labels_every_control(
    client: httpx2.Client,
) -> None:
    page = look(client, "/")
    (box,) = page.xpath("//input[@name='q']")
    assert "autofocus" in box.attrib
    labelled = {label.get("for") for label in page.iter("label")}
    shown = page.xpath("//main//input[not(@type='hidden')] | //main//select")
    assert {control.get("id") for control in shown} == labelled
    assert {"q", "collection", "mode", "rerank", "filter", "top_k"} == labelled
    assert (
        page.xpath("//a[@class='skip']")[0].get("href") == f"#{page.xpath('//main')[0].get('id')}"
    )
    assert page.xpath("//a[@href='/docs']")
    assert find(page, "hit") == []


def test_first_page_shows_collections_and_sample_queries(
    client: httpx2.Client,
) -> None:
    page = look(client, "/")
    cards = {words(card.xpath(".//h3")[0]): words(card) for card in find(page, "card")}
    assert set(cards) == {"handbook", "unsynced"}
    assert "10 documents with 10 chunks" in cards["handbook"]
    assert "1 source" in cards["handbook"]
    assert "fresh" in cards["handbook"]
    assert "no index yet" in cards["unsynced"]
    samples = find(page, "samples")[0].xpath(".//a")
    titles = {words(link) for link in look(client, "/documents").xpath("//tbody//a")}
    assert {words(link) for link in samples} <= titles
    found = look(client, samples[0].get("href"))
    assert words(find(found, "hit")[0].xpath(".//h3")[0]) == words(samples[0])


def test_samples_come_from_the_golden_set_and_never_from_searches(
    client: httpx2.Client, running: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get("/", params={"q": "a secret of a person"})
    wait_until(lambda: running.service.recorder.waiting_count == 0, 10)
    lines = [json.dumps({"_id": str(n), "text": f"golden question {n}"}) for n in range(9)]
    lines.insert(0, json.dumps({"_id": "x", "text": "no answer", "answerable": False}))
    (tmp_path / "queries.jsonl").write_text("\n".join(lines), "utf-8")
    settings = [
        one.model_copy(update={"golden": tmp_path})
        for one in running.service.configuration.collections
    ]
    configuration = running.service.configuration.model_copy(
        update={"collections": tuple(settings)}
    )
    monkeypatch.setattr(running.service, "configuration", configuration)
    page = look(client, "/", collection="handbook")
    samples = [words(link) for link in find(page, "samples")[0].xpath(".//a")]
    assert samples == [f"golden question {n}" for n in (0, 2, 4, 6)]
    assert "secret" not in words(page)
    (tmp_path / "queries.jsonl").write_text("no JSON", "utf-8")
    page = look(client, "/", collection="handbook")
    assert "golden question" not in words(page)
    assert find(page, "samples")


def test_documentation_links_to_the_page(client: httpx2.Client) -> None:
    page = html.fromstring(client.get("/docs").text)
    assert "/" in page.xpath("//a/@href")


def test_hits_are_shown_with_marks_scores_and_receipts(client: httpx2.Client) -> None:
    page = look(client, "/", q="parental leave", collection="handbook")
    first = find(page, "hit")[0]
    assert words(first.xpath(".//h3")[0]) == "Parental leave"
    assert "leave" in {words(mark).lower() for mark in first.iter("mark")}
    assert words(find(first, "text")[0]) == (
        "Every parent may take twelve weeks of paid parental leave."
    )
    assert "handbook-articles · leave" in words(find(first, "whence")[0])
    assert [words(stage) for stage in first.xpath(".//dt[ancestor::dl[@class='scores']]")] == [
        "vector", "keyword", "fused",
    ]  # fmt: skip
    widths = [float(bar.get("width")) for bar in find(first, "fill")]
    assert all(0 <= width <= 100 for width in widths)
    assert re.match(r"(fresh|stale) · .+ old", words(find(first, "badge")[0]))
    (explained,) = first.xpath(".//a[starts-with(@href, '/receipts/')]")
    receipt = look(client, explained.get("href"))
    assert "Every parent may take twelve weeks" in words(receipt)
    assert "run-1" in words(receipt)


def test_options_are_used_and_stay_in_the_form(client: httpx2.Client) -> None:
    page = look(
        client, "/", q="leave", mode="keyword", rerank="configured", top_k="1",
        filter='{"metadata.topic": "sick"}',
    )  # fmt: skip
    (hit,) = find(page, "hit")
    assert words(hit.xpath(".//h3")[0]) == "Sick leave"
    assert "rerank" in words(find(hit, "scores")[0])
    assert page.xpath("//select[@name='mode']/option[@selected]/@value") == ["keyword"]
    (form,) = page.xpath("//form[@role='search' and @action='/']")
    assert form.xpath(".//input[@name='filter']/@value") == ['{"metadata.topic": "sick"}']


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("filter", '{"metadata.year"'),
        ("filter", "[1]"),
        ("filter", '{"colour": "red"}'),
        ("filter", '{"page": {"gte": 1, "above": 2}}'),
        ("rerank", "cross_encoder"),
        ("filter", '"\\ud800"'),
        ("filter", "[" * 1_000),
        ("top_k", "0"),
        ("top_k", "many"),
        ("top_k", "9" * 5_000),
        ("mode", "psychic"),
        ("rerank", "<b>"),
    ],
)
def test_faults_are_shown_next_to_their_field(
    client: httpx2.Client, field: str, value: str
) -> None:
    answer = client.get("/", params={"q": "leave", field: value})
    assert answer.status_code == 422
    page = read(answer)
    (fault,) = find(page, "fault")
    assert fault.get("id") == f"fault-{field}"
    (control,) = page.xpath(f"//*[@name='{field}']")
    assert control.get("aria-describedby") == f"fault-{field}"


def test_options_are_closed_until_one_is_set_or_wrong(client: httpx2.Client) -> None:
    for parameters, is_open in (
        ({"q": "leave"}, False),
        ({"q": "leave", "mode": "keyword"}, True),
        ({"q": "leave", "top_k": "0"}, True),
    ):
        page = read(client.get("/", params=parameters))
        (options,) = find(page, "options")
        assert ("open" in options.attrib) is is_open
        assert options.xpath(".//select[@name='mode']")


def test_facets_are_filters_in_the_address(client: httpx2.Client) -> None:
    page = look(client, "/", q="leave", collection="handbook")
    links = {words(link): link.get("href") for link in find(page, "facets")[0].iter("a")}
    assert "sick 1" in links
    narrowed = look(client, links["sick 1"])
    (hit,) = find(narrowed, "hit")
    assert words(hit.xpath(".//h3")[0]) == "Sick leave"
    assert narrowed.xpath("//form[@role='search']//input[@name='facet']/@value") == [
        'metadata.topic:"sick"'
    ]
    links = {words(link): link.get("href") for link in find(narrowed, "facets")[0].iter("a")}
    both = look(client, links["leave 1"])
    assert {words(hit.xpath(".//h3")[0]) for hit in find(both, "hit")} == {
        "Sick leave", "Parental leave",
    }  # fmt: skip
    removing = {words(link): link.get("href") for link in find(both, "remove")}
    assert set(removing) == {"topic: sick ×", "topic: leave ×"}
    again = look(client, removing["topic: sick ×"])
    assert [words(hit.xpath(".//h3")[0]) for hit in find(again, "hit")] == ["Parental leave"]


@pytest.mark.parametrize("facet", ["sick", ":", "colour:red", 'metadata.topic:"', "page:true"])
def test_malformed_facet_is_a_fault_or_finds_nothing(client: httpx2.Client, facet: str) -> None:
    answer = client.get("/", params={"q": "leave", "facet": facet})
    assert answer.status_code in (200, 422)
    assert bool(find(read(answer), "fault")) is (answer.status_code == 422)
    assert find(read(answer), "hit") == []


def test_search_can_be_copied_as_a_command_and_as_a_program(
    running: RunningService, client: httpx2.Client
) -> None:
    page = look(
        client, "/", q="who's ill <today>", mode="vector", facet='metadata.topic:"sick"', top_k="3"
    )
    curl, python = (listing.text_content() for listing in find(page, "code-samples")[0].iter("pre"))
    for command in (["bash", "-c", curl], [sys.executable, "-c", python]):
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert "sick" in done.stdout, (command, done)
    assert running.url in curl
    assert "Authorization" not in curl + python


def test_code_samples_contain_a_placeholder_for_the_key(client: httpx2.Client, locked: str) -> None:
    sign_in(client, locked)
    page = look(client, "/", q="leave")
    code = find(page, "code-samples")[0].text_content()
    assert "Bearer YOUR_KEY" in code
    assert locked not in code


def test_document_of_one_chunk_has_no_neighbours(client: httpx2.Client) -> None:
    page = look(client, "/", q="parental leave")
    assert find(page, "around") == []


def test_two_settings_are_compared_side_by_side(client: httpx2.Client) -> None:
    page = look(client, "/", q="parental leave", top_k="3")
    (form,) = page.xpath("//form[@action='/compare']")
    asked = {**dict(form.form_values()), "other_mode": "keyword"}
    compared = look(client, "/compare", **asked)
    left, right = find(compared, "sides")[0].xpath("section")
    assert (words(left.xpath("h2")[0]), words(right.xpath("h2")[0])) == ("hybrid", "keyword")
    assert words(find(left, "hit")[0].xpath(".//h3")[0]) == "Parental leave"
    changes = {words(badge) for badge in find(compared, "badge")}
    assert "same rank" in changes
    assert changes - {"same rank"} <= {"only here", "#1 there", "#2 there", "#3 there"}


def test_missing_document_is_explained(client: httpx2.Client) -> None:
    page = look(client, "/", q="parental leave", top_k="1", mode="keyword")
    (form,) = page.xpath("//form[@action='/explain']")
    asked = {**dict(form.form_values()), "expected": "sick"}
    explained = look(client, "/explain", **asked)
    assert "Why is it not a hit?" in words(explained.xpath("//h1")[0])
    assert "has rank 2" in words(find(explained, "verdict-of")[0])
    stages = [words(row.xpath("th")[0]) for row in explained.xpath("(//tbody)[1]/tr")]
    assert stages == ["keyword leg", "fusion", "answer"]
    assert "Sick leave" in words(find(explained, "why")[0])
    hit = look(client, "/explain", q="parental leave", expected="leave", document_id="leave")
    assert "It is hit number 1" in words(hit)


def test_document_to_explain_is_chosen_by_part_of_its_name(client: httpx2.Client) -> None:
    page = look(client, "/explain", q="leave", expected="lea")
    links = {words(link): link.get("href") for link in find(page, "samples")[0].iter("a")}
    assert set(links) == {"Parental leave", "Sick leave"}
    chosen = look(client, links["Sick leave"])
    assert "Sick leave" in words(find(chosen, "why")[0])
    nothing = look(client, "/explain", q="leave", expected="zeppelin")
    assert "has no document with “zeppelin”" in words(nothing)


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"expected": "sick", "top_k": "many"}, 422),
        ({"document_id": "nothing of the kind"}, 404),
        ({"expected": "sick", "collection": "nowhere"}, 404),
        ({"expected": "sick", "collection": "unsynced"}, 200),
        ({"expected": "\0"}, 200),
        ({}, 200),
    ],
)
def test_explanation_shows_faults(
    client: httpx2.Client, parameters: dict[str, str], status: int
) -> None:
    answer = client.get("/explain", params={"q": "leave", **parameters})
    assert answer.status_code == status, answer.text


def test_explanation_hides_what_the_caller_may_not_see(
    running: RunningService, client: httpx2.Client, locked: str
) -> None:
    assert locked
    key = create_key(running.service.database, name="reader", tenant="other", scopes=("search",))
    sign_in(client, key)
    answer = client.get("/explain", params={"q": "leave", "expected": "sick"})
    assert "Sick leave" not in answer.text


@pytest.mark.usefixtures("no_records")
def test_queries_without_a_hit_are_for_administrators(
    running: RunningService, client: httpx2.Client, locked: str
) -> None:
    sign_in(client, locked)
    for _ in range(2):
        client.get("/", params={"q": "zzzzqq <b>", "mode": "keyword"})
    client.get("/", params={"q": "leave", "mode": "keyword"})
    wait_until(lambda: running.service.recorder.waiting_count == 0, 10)
    assert "zzzzqq" not in words(look(client, QUALITY))
    admin = create_key(
        running.service.database, name="chief", tenant="default", scopes=("search", "admin")
    )
    sign_in(client, admin)
    page = look(client, QUALITY, collection="handbook")
    (row,) = page.xpath("//section[@aria-labelledby='unanswered']//tbody/tr")
    assert [words(cell) for cell in row[:2]] == ["zzzzqq <b>", "2"]


def test_search_has_a_banner_while_its_source_is_unreachable(
    running: RunningService, client: httpx2.Client
) -> None:
    def set_unreachable(since: str | None, error: str | None) -> None:
        with running.service.database.begin() as connection:
            connection.execute(
                text(
                    "update ragline.sources set unreachable_since = cast(:since as timestamptz), "
                    "unreachable_error = cast(:error as text)"
                ),
                {"since": since, "error": error},
            )

    def has_banner(path: str) -> bool:
        return "no route to <host>" in words(look(client, path))

    assert not has_banner("/?q=leave")
    set_unreachable("2026-03-01T00:00:00Z", "no route to <host>")
    try:
        wait_until(lambda: has_banner("/?q=leave"), 10)
        (banner,) = find(look(client, "/", q="leave"), "banner")
        remedy = look(client, banner.xpath(".//a/@href")[0])
        assert "docs/runbooks/source-unreachable.md" in words(find(remedy, "alarms")[0])
        assert "1 alarm" in words(find(look(client, "/"), "alarms")[0])
        assert has_banner(QUALITY)
    finally:
        set_unreachable(None, None)
    wait_until(lambda: not has_banner("/?q=leave"), 10)
    assert not has_banner("/")


@pytest.mark.parametrize(
    ("parameters", "status"),
    [({"collection": "nowhere"}, 200), ({"other_mode": "psychic"}, 200), ({"q": ""}, 200)],
)
def test_comparison_shows_the_faults_of_a_side(
    client: httpx2.Client, parameters: dict[str, str], status: int
) -> None:
    answer = client.get("/compare", params={"q": "leave", **parameters})
    assert answer.status_code == status
    page = read(answer)
    assert find(page, "fault") or find(page, "notice")


@pytest.mark.parametrize(
    "body",
    [{"top_k": 101}, {"filter": {"colour": "red"}}, {"mode": "psychic"}, {"filter": {"and": 1}}],
)
def test_faults_have_the_text_of_the_api(client: httpx2.Client, body: dict[str, Any]) -> None:
    asked = {"collection": "handbook", "query": "leave", **body}
    (error,) = client.post("/v1/search", json=asked).json()["errors"]
    typed = {k: v if isinstance(v, str) else json.dumps(v) for k, v in body.items()}
    page = read(client.get("/", params={"q": "leave", **typed}))
    assert error["message"] in words(find(page, "fault")[0])


@pytest.mark.parametrize(
    ("parameters", "status", "title"),
    [
        ({"collection": "nowhere"}, 404, "The collection does not exist"),
        ({"collection": "unsynced"}, 409, "The collection has no live index yet"),
    ],
)
def test_problems_are_sentences_with_the_right_status(
    client: httpx2.Client, parameters: dict[str, str], status: int, title: str
) -> None:
    answer = client.get("/", params={"q": "leave", **parameters})
    page = read(answer)
    (notice,) = find(page, "notice")
    assert (answer.status_code, words(notice.xpath(".//h2")[0])) == (status, title)
    assert page.xpath("//input[@name='q']/@value") == ["leave"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/receipts/9-9", 404),
        ("/receipts/%00", 404),
        ("/documents?document_id=none", 404),
        ("/documents?document_id=%00&source=%00", 404),
        ("/documents?collection=nowhere", 404),
        ("/documents?collection=unsynced&document_id=a", 409),
        ("/documents?after=x", 422),
    ],
)
def test_missing_objects_are_reported_on_a_page(
    client: httpx2.Client, path: str, status: int
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert len(find(read(answer), "notice")) == 1


def test_searches_of_the_page_are_recorded(running: RunningService, client: httpx2.Client) -> None:
    answer = client.get("/", params={"q": "bicycles in the cellar"})
    request_id = answer.headers["x-request-id"]
    wait_until(lambda: running.service.recorder.waiting_count == 0, 10)
    statement = text("select query from ragline.search_requests where id = cast(:id as uuid)")
    with running.service.database.connect() as connection:
        found = connection.execute(statement, {"id": request_id}).scalar_one()
    assert found == "bicycles in the cellar"


@pytest.fixture
def verdict(client: httpx2.Client) -> dict[str, str]:
    """The fields that the feedback buttons of the first hit send."""
    page = look(client, "/", q="parental leave")
    (form,) = find(find(page, "hit")[0], "verdict")
    assert (form.get("action"), form.get("method")) == ("/feedback", "post")
    return {**dict(form.form_values()), "kind": "useful"}


def test_feedback_is_recorded_without_a_script(
    running: RunningService, client: httpx2.Client, verdict: dict[str, str]
) -> None:
    answer = client.post("/feedback", data=verdict, headers=HERE)
    assert answer.status_code == 200
    assert "Recorded: useful" in words(read(answer))
    back = read(answer).xpath("//main//a/@href")
    assert back == ["/?collection=handbook&q=parental+leave"]
    statement = text("select kind from ragline.given_feedback where request_id = cast(:id as uuid)")
    with running.service.database.connect() as connection:
        kinds = connection.execute(statement, {"id": verdict["request_id"]}).scalars().all()
    assert kinds == ["useful"]


def test_script_is_answered_in_json(client: httpx2.Client, verdict: dict[str, str]) -> None:
    headers = {**HERE, "accept": "application/json"}
    answer = client.post("/feedback", data={**verdict, "kind": "click"}, headers=headers)
    assert answer.json() == {"kind": "click"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
@pytest.mark.parametrize("path", ["/feedback", "/sign-in", "/sign-out"])
def test_forms_of_other_sites_are_refused(
    client: httpx2.Client, verdict: dict[str, str], headers: dict[str, str], path: str
) -> None:
    answer = client.post(path, data=verdict, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_older_browser_is_checked_by_its_origin(
    running: RunningService, client: httpx2.Client, verdict: dict[str, str]
) -> None:
    answer = client.post("/feedback", data=verdict, headers={"origin": running.url})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"kind": "wonderful"}, 422),
        ({"entry_id": "x"}, 422),
        ({"entry_id": "1" * 19 + "x"}, 422),
        ({"entry_id": "1" * 19}, 422),
        ({"entry_id": "99"}, 422),
        ({"request_id": "none"}, 404),
        ({f"field{number}": "x" for number in range(60)}, 422),
    ],
)
def test_malformed_feedback_is_refused(
    client: httpx2.Client, verdict: dict[str, str], change: dict[str, str], status: int
) -> None:
    answer = client.post("/feedback", data={**verdict, **change}, headers=HERE)
    assert answer.status_code == status


@pytest.mark.parametrize("path", PAGES)
def test_page_needs_no_other_host_and_no_inline_script(client: httpx2.Client, path: str) -> None:
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert not OUTSIDE.search(answer.text)
    page = read(answer)
    assert page.xpath("//*[@style or @onclick] | //style | //script[not(@src)]") == []
    links = page.xpath("//head/link/@href | //head/script/@src")
    assert len(links) == 3
    for link in links:
        asset = client.get(link)
        assert (asset.status_code, asset.headers["cache-control"]) == (200, "no-cache"), link


def test_documents_are_listed_and_link_to_their_chunks(client: httpx2.Client) -> None:
    page = look(client, "/documents")
    links = page.xpath("//tbody//a")
    assert len(links) == 10
    document = look(client, links[0].get("href"))
    (chunk,) = find(document, "chunk")
    assert "characters 0–" in words(chunk)
    assert words(document.xpath("//h1")[0]) == words(links[0])
    assert "topic" in words(document.xpath("//details")[0])


def test_naughty_queries_are_shown_as_they_are_and_do_nothing(
    client: httpx2.Client, naughty_strings: list[str]
) -> None:
    for naughty in naughty_strings[:: choose_count(4, 1)]:
        parameters = {"q": naughty, "filter": naughty, "top_k": naughty, "mode": naughty}
        for asked in ({"q": naughty, "top_k": "2"}, {"q": "leave", **parameters}):
            answer = client.get("/", params=asked)
            assert answer.status_code < 500, naughty
            check_only_own_content(answer)


@pytest.mark.slow
def test_naughty_documents_are_shown_as_they_are_and_do_nothing(
    naughty_strings: list[str],
    tmp_path: Path,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[[Configuration], RunContext],
    run_stages: Callable[[RunContext], dict[str, object]],
) -> None:
    rows = [
        json.dumps({"_id": f"{number}{naughty}", "title": naughty, "text": naughty, "key": naughty})
        for number, naughty in enumerate(naughty_strings)
    ]
    (tmp_path / "handbook.jsonl").write_text("\n".join(rows), "utf-8")
    configuration = configure(CONFIGURATION)
    run_stages(make_run_context(configuration))
    with run_service(configuration) as running:
        wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
        with httpx2.Client(base_url=running.url, timeout=60) as client:
            check_only_own_content(client.get("/", params={"q": "script alert", "top_k": "100"}))
            check_only_own_content(client.get(QUALITY))
            seen = [link for page in turn_pages(client) for link in page.xpath("//tbody//a/@href")]
            assert len(seen) > 400
            for link in seen[:: choose_count(8, 1)]:
                answer = client.get(link)
                assert answer.status_code == 200, link
                check_only_own_content(answer)


def turn_pages(client: httpx2.Client) -> Iterator[Any]:
    """Each page of the documents."""
    link = "/documents"
    while link:
        answer = client.get(link)
        check_only_own_content(answer)
        yield read(answer)
        link = next(iter(read(answer).xpath("//a[@rel='next']/@href")), "")


def check_only_own_content(answer: httpx2.Response) -> None:
    """The page has only the scripts, images and handlers of its templates."""
    page = read(answer)
    assert page.xpath("//script[not(starts-with(@src, '/page/'))]") == []
    assert (
        page.xpath("//img | //iframe | //object | //embed | //style | //base | //meta[@http-equiv]")
        == []
    )
    assert page.xpath("//@*[starts-with(name(), 'on')]") == []
    for link in page.xpath(
        "//a[@href and not(starts-with(@href, '/') or starts-with(@href, '#'))]"
    ):
        assert re.match(r"(https?://[^/]|mailto:)", link.get("href")), link.get("href")
        assert "noopener" in link.get("rel")


def test_with_keys_the_page_asks_for_one_and_then_redirects(
    client: httpx2.Client, locked: str
) -> None:
    answer = client.get("/", params={"q": "leave"})
    assert answer.status_code == 401
    (wanted,) = read(answer).xpath("//form[@action='/sign-in']//input[@name='wanted']/@value")
    assert wanted == "/?q=leave"
    signed = sign_in(client, locked, wanted)
    assert (signed.status_code, signed.headers["location"]) == (303, wanted)
    cookie = signed.headers["set-cookie"]
    assert cookie.startswith(f"ragline_key={locked};")
    assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
    assert len(find(look(client, "/", q="leave"), "hit")) > 1
    assert client.post("/v1/search", json={}).status_code == 401
    left = client.post("/sign-out", headers=HERE)
    assert (left.status_code, left.headers["location"]) == (303, "/")
    assert client.get("/").status_code == 401


def test_wrong_key_is_reported(client: httpx2.Client, locked: str) -> None:
    for key in (locked[:-1] + "?", "", "\0", "rag_x"):
        answer = sign_in(client, key)
        assert answer.status_code == 401
        assert "wrong, expired or revoked" in words(find(read(answer), "fault")[0])
        assert "set-cookie" not in answer.headers
        assert key == "" or key not in answer.text


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_sign_in_redirects_only_to_this_page(
    client: httpx2.Client, locked: str, wanted: str
) -> None:
    assert sign_in(client, locked, wanted).headers["location"] == "/"


def test_revoked_key_is_deleted_from_the_browser(
    running: RunningService, client: httpx2.Client, locked: str
) -> None:
    create_key(running.service.database, name="other", tenant="default")
    sign_in(client, locked)
    revoke_key(running.service.database, locked.split("_")[1])
    answer = client.get("/")
    assert answer.status_code == 401
    assert "wrong, expired or revoked" in words(read(answer))
    assert 'ragline_key=""' in answer.headers["set-cookie"]


def test_key_of_another_tenant_sees_none_of_it(
    running: RunningService, client: httpx2.Client, locked: str
) -> None:
    assert locked
    receipt = "/receipts/1-1"
    sign_in(client, create_key(running.service.database, name="stranger", tenant="other"))
    assert client.get("/", params={"q": "leave", "collection": "handbook"}).status_code == 404
    assert client.get(receipt).status_code == 404
    assert client.get("/documents?collection=handbook").status_code == 404
    assert look(client, "/").xpath("//option[. = 'handbook']") == []


def test_rate_limited_key_receives_the_time_to_wait(
    running: RunningService, client: httpx2.Client, locked: str
) -> None:
    assert locked
    key = create_key(running.service.database, name="slow", tenant="default", requests_per_minute=1)
    sign_in(client, key)
    assert client.get("/").status_code == 200
    answer = client.get("/")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "too many requests" in words(find(read(answer), "notice")[0])


def test_key_without_feedback_has_no_buttons(
    running: RunningService, client: httpx2.Client, locked: str
) -> None:
    assert locked
    key = create_key(running.service.database, name="reader", tenant="default", scopes=("search",))
    sign_in(client, key)
    page = look(client, "/", q="leave")
    assert find(page, "hit")
    assert find(page, "verdict") == []
    assert client.post("/feedback", data={}, headers=HERE).status_code == 403


def test_without_keys_a_remote_caller_sees_nothing(client: httpx2.Client) -> None:
    answer = client.get("/", headers={"x-forwarded-for": "203.0.113.7"})
    assert answer.status_code == 403
    assert len(find(read(answer), "notice")) == 1


@pytest.mark.usefixtures("no_records")
def test_clocks_and_proofs_of_sources_are_shown(client: httpx2.Client) -> None:
    page = look(client, QUALITY)
    (source,) = find(page, "source")
    assert "handbook-articles" in words(source)
    facts = {
        words(one.xpath("dt")[0]): words(one.xpath("dd")[0]) for one in source.xpath(".//dl/div")
    }
    assert facts["Documents"] == "10 ready · 10 entries"
    assert facts["Held removals"] == "none"
    assert facts["Last proof"] == "none yet; run ragline prove handbook-articles"
    clocks = find(source, "clock")
    assert len(clocks) == 2
    for clock in clocks:
        title, description = clock.get("aria-labelledby").split()
        assert "Time to" in words(clock.get_element_by_id(title))
        assert "the limit is" in words(clock.get_element_by_id(description))


@pytest.mark.usefixtures("no_records")
def test_empty_charts_explain_what_they_will_show(client: httpx2.Client) -> None:
    shown = plots(look(client, QUALITY, collection="unsynced"))
    assert len(shown) == 6
    for figure in shown.values():
        assert find(figure, "chart") == []
        assert words(find(figure, "empty")[0])


@pytest.mark.usefixtures("no_records")
def test_charts_show_the_records(running: RunningService, client: httpx2.Client) -> None:
    def ask(query: str, mode: str) -> dict[str, Any]:
        body = {"collection": "handbook", "query": query, "mode": mode}
        answer: dict[str, Any] = client.post("/v1/search", json=body).json()
        return answer

    found = ask("parental leave", "hybrid")
    ask("zzzzqq", "keyword")
    clicked = {
        "request_id": found["request_id"],
        "entry_id": found["hits"][1]["receipt"]["entry_id"],
        "kind": "click",
    }
    assert client.post("/v1/feedback", json=clicked).status_code == 200
    wait_until(lambda: running.service.recorder.waiting_count == 0, 10)
    with running.service.database.begin() as connection:
        connection.execute(
            text(
                "insert into ragline.evaluations (collection, generation_id, golden_hash, mode, "
                "is_reranked, measures, query_count, failed_count, seconds) values "
                "('handbook', 1, 'a', 'hybrid', false, '{\"ndcg@10\": 0.625}', 20, 0, 1.5)"
            )
        )
    for days in ("7", "30"):
        shown = plots(look(client, QUALITY, collection="handbook", days=days))
        zero = cells(shown["Searches without a hit"])
        assert len(zero) == int(days)
        assert zero[-1][1] == "50"
        assert [row[1] for row in zero[:-1]] == ["–"] * (int(days) - 1)
        assert cells(shown["Clicks by position"]) == [["1", "0"], ["2", "1"], ["3", "0"]]
        assert cells(shown["Golden set: 20 queries, hybrid"])[0][1] == "0.625"
        latency = shown["Search time, p50"]
        assert [words(one) for one in latency.xpath(".//ul[@class='legend']/li")] == [
            "embed", "retrieve", "total",
        ]  # fmt: skip
        assert cells(shown["Age of returned hits"])[0][0] == "p50"
        for figure in shown.values():
            (chart,) = find(figure, "chart")
            assert chart.get("role") == "img"
            assert words(chart.xpath("./*[local-name()='desc']")[0])


def test_unknown_collection_has_no_charts(client: httpx2.Client) -> None:
    answer = client.get(QUALITY, params={"collection": "nowhere", "days": "many"})
    assert answer.status_code == 404


def test_charts_need_the_same_scope_as_the_api(
    running: RunningService, client: httpx2.Client, locked: str
) -> None:
    sign_in(client, locked)
    page = look(client, QUALITY)
    assert find(page, "source")
    assert plots(page) == {}
    assert "scope admin" in words(page)
    admin = create_key(
        running.service.database, name="chief", tenant="default", scopes=("search", "admin")
    )
    sign_in(client, admin)
    assert len(plots(look(client, QUALITY))) == 6


def test_other_tenants_sources_are_not_shown(
    running: RunningService, client: httpx2.Client, locked: str
) -> None:
    assert locked
    scopes = ("search", "admin")
    key = create_key(running.service.database, name="stranger", tenant="other", scopes=scopes)
    sign_in(client, key)
    page = look(client, QUALITY)
    assert find(page, "source") == []
    assert "handbook" not in words(page)


@pytest.mark.parametrize(
    "path",
    ["/", "/?q=lunch&collection=handbook", "/documents", "/freshness-and-quality", "/docs",
     "/page/style.css", "/healthz", "/readyz", "/metrics", "/openapi.json"],
)  # fmt: skip
def test_page_answers_head_as_it_answers_get(client: httpx2.Client, path: str) -> None:
    got, headed = client.get(path), client.head(path)
    assert got.status_code == headed.status_code == 200
    assert headed.content == b""
    assert headed.headers["content-type"] == got.headers["content-type"]


def test_head_of_an_unknown_path_is_404(client: httpx2.Client) -> None:
    assert client.head("/nothing").status_code == 404
