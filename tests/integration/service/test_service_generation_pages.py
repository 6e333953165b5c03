"""Generations, gate reports and index cards on the page, and decisions about a candidate."""

from __future__ import annotations

import httpx2
import pytest
from page_elements import HERE, find, look, read, sign_in, words
from planted_candidates import plant_candidate
from planted_reports import NAUGHTY, make_report
from running_service import RunningService

from ragline.access.keys import Scope, create_key
from ragline.gate.stored_reports import store_report
from ragline.lifecycle.generation_records import read_record


@pytest.fixture(scope="module")
def candidate(running: RunningService) -> int:
    """A candidate of the handbook, which no test decides about."""
    return plant_candidate(running.service.database)


@pytest.fixture(scope="module")
def report_id(running: RunningService, candidate: int) -> int:
    """A stored report of the gate about the candidate."""
    return store_report(running.service.database, make_report(candidate), "ada")


def test_report_says_the_verdict_first_and_names_its_checks(
    client: httpx2.Client, report_id: int, candidate: int
) -> None:
    page = look(client, f"/gate-reports/{report_id}")
    first = words(page.xpath("//main/section[1]")[0])
    assert first.startswith("The gate refuses the candidate")
    assert f"Generation {candidate} was compared with the live generation 1" in first
    assert NAUGHTY in first
    (checks,) = find(page, "checks")
    assert [[words(one.xpath(path)[0]) for path in ("./span", ".//strong")] for one in checks] == [
        ["passed", "Contains the current documents"],
        ["refused", "The best documents come first (nDCG@10)"],
        ["undecided", "shadow overlap"],
    ]
    assert page.xpath("//main//img") == []


def test_report_draws_each_interval_with_a_description(
    client: httpx2.Client, report_id: int
) -> None:
    page = look(client, f"/gate-reports/{report_id}")
    charts = find(page, "interval")
    assert len(charts) == 4
    assert {chart.get("role") for chart in charts} == {"img"}
    described = words(charts[0].xpath("./*[local-name()='desc']")[0])
    assert described == ("-0.1000, with 95 % confidence -0.1500 to -0.0500; accepted fall 0.02")
    assert "length = 1 to 3 words" in words(page)
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))


def test_fallen_query_has_both_lists_with_titles_and_marks(
    client: httpx2.Client, report_id: int
) -> None:
    (fallen,) = find(look(client, f"/gate-reports/{report_id}"), "fell")
    assert words(find(fallen, "asked-query")[0]) == NAUGHTY
    live, candidate = find(fallen, "ranked")
    assert [words(one).split(" relevant")[0] for one in find(live, "relevant")] == [
        "Parental leave"
    ]
    assert [words(one.xpath("./a")[0]) for one in candidate.iter("li")] == [
        "Sick leave", "Parental leave", "Parental leave",
    ]  # fmt: skip


def test_generations_are_shown_with_trail_and_report(
    client: httpx2.Client, report_id: int, candidate: int
) -> None:
    page = look(client, "/generations", collection="handbook")
    builds = {words(one.xpath(".//h2")[0]): one for one in find(page, "build")}
    shown = builds[f"Generation {candidate}"]
    assert shown.xpath(f".//header/a[starts-with(@href, '/gate-reports/{report_id}?')]")
    assert "gate: refused" in words(shown)
    live = builds["Generation 1"]
    assert "Searches use it." in words(live)
    assert "by run run-1" in words(live) or "run-1" in words(live)
    assert live.xpath(".//a[starts-with(@href, '/generations/1/card?')]")


def test_index_card_is_shown_without_text_of_a_document(client: httpx2.Client) -> None:
    answer = client.get("/generations/1/card", params={"collection": "handbook"})
    page = read(answer)
    assert words(page.xpath("//h1")[0]) == "Index card: handbook, generation 1 live"
    assert "apache-2.0" in words(page)
    assert "10 documents" in words(find(page, "source")[0])
    assert "parental" not in answer.text
    assert client.get("/generations/999/card?collection=handbook").status_code == 404


def test_index_card_lists_each_check_of_the_report(
    client: httpx2.Client, report_id: int, candidate: int
) -> None:
    page = look(client, f"/generations/{candidate}/card", collection="handbook")
    assert page.xpath(f"//a[starts-with(@href, '/gate-reports/{report_id}?')]")
    (checks,) = find(page, "checks")
    paths = ("./span", ".//strong", ".//p")
    listed = [[words(one.xpath(path)[0]) for path in paths] for one in checks]
    assert listed[0] == ["passed", "Contains the current documents", "It agrees."]
    assert [one[0] for one in listed] == ["passed", "refused", "undecided"]


def test_pages_need_the_scopes_of_the_api(
    running: RunningService, client: httpx2.Client, locked: str, report_id: int
) -> None:
    def sign_in_as(*scopes: Scope) -> None:
        name = "-".join(scopes)
        key = create_key(running.service.database, name=name, tenant="default", scopes=scopes)
        sign_in(client, key)

    sign_in(client, locked)
    paths = ("/generations", f"/gate-reports/{report_id}", "/generations/1/card")
    assert [client.get(path).status_code for path in paths] == [403, 403, 403]
    assert look(client, "/").xpath("//nav//a[@href='/generations']") == []
    sign_in_as("search", "approve")
    assert [client.get(path).status_code for path in paths] == [200, 200, 403]
    assert look(client, "/").xpath("//nav//a[@href='/generations']")
    sign_in_as("search", "admin")
    assert [client.get(path).status_code for path in paths] == [403, 403, 200]


def test_report_of_another_tenant_does_not_exist(
    running: RunningService, client: httpx2.Client, locked: str, report_id: int
) -> None:
    assert locked
    scopes: tuple[Scope, ...] = ("search", "approve")
    key = create_key(running.service.database, name="x", tenant="other", scopes=scopes)
    sign_in(client, key)
    assert client.get(f"/gate-reports/{report_id}").status_code == 404
    assert client.get("/generations", params={"collection": "handbook"}).status_code == 404


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"action": "refuse"}, 422, "Reason: say why"),
        ({"action": "burn", "reason": "x"}, 422, "Action: must be one of"),
        ({"action": "refuse", "reason": "x", "generation": "1"}, 409, "Generation 1 of handbook"),
        ({"action": "refuse", "reason": "x", "generation": "-1"}, 422, "number of this page"),
        ({"action": "rollback", "reason": "x"}, 409, ""),
        ({"action": "refuse", "reason": "x", "collection": "nowhere"}, 404, "nowhere"),
    ],
)
def test_wrong_decision_is_a_problem_and_changes_nothing(
    running: RunningService, client: httpx2.Client, candidate: int, fields: dict[str, str],
    status: int, message: str,
) -> None:  # fmt: skip
    posted = {"collection": "handbook", "generation": str(candidate), **fields}
    answer = client.post("/generations", data=posted, headers=HERE)
    assert answer.status_code == status, answer.text
    assert message in words(find(read(answer), "notice")[0])
    assert read_record(running.service.database, candidate)[0].state == "candidate"


def test_decision_from_another_site_is_refused(client: httpx2.Client, candidate: int) -> None:
    posted = {"collection": "handbook", "generation": str(candidate), "action": "refuse"}
    refused = client.post("/generations", data=posted, headers={"sec-fetch-site": "cross-site"})
    assert refused.status_code == 403


def test_candidate_is_refused_with_the_reason_in_the_trail(
    running: RunningService, client: httpx2.Client
) -> None:
    other = plant_candidate(running.service.database)
    posted = {"collection": "handbook", "generation": str(other), "action": "refuse",
              "reason": f"too small {NAUGHTY}"}  # fmt: skip
    answer = client.post("/generations", data=posted, headers=HERE)
    assert answer.status_code == 303, answer.text
    page = look(client, answer.headers["location"])
    assert "The candidate is refused." in words(find(page, "good")[0])
    assert f"too small {NAUGHTY}" in words(page)
    record, events = read_record(running.service.database, other)
    assert (record.state, events[-1].changed_by) == ("refused", "local caller")
