"""Proposed queries over HTTP and on the review screen, and their answers in the golden set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from page_elements import HERE, find, look, read, sign_in, words
from running_service import RunningService, wait_until

from ragline.access.keys import create_key
from ragline.golden_set.content import make_query_id
from ragline.golden_set.proposal_answers import REJECTIONS
from ragline.golden_set.reading import read_content

LIST = "/v1/collections/handbook/golden-proposals"
ZEBRA = "zebra crossing"

pytestmark = pytest.mark.usefixtures("no_records")


@pytest.fixture
def folder(
    running: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The folder of an empty golden set of the handbook."""
    set_folder(running, tmp_path / "golden", monkeypatch)
    return tmp_path / "golden"


def set_folder(running: RunningService, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [
        one.model_copy(update={"golden": folder}) if one.name == "handbook" else one
        for one in running.configuration.collections
    ]
    changed = running.configuration.model_copy(update={"collections": tuple(settings)})
    monkeypatch.setattr(running.service, "configuration", changed)


def search(running: RunningService, client: httpx2.Client, query: str, **more: str) -> Any:
    body = {"collection": "handbook", "query": query, "mode": "keyword", **more}
    answer = client.post("/v1/search", json=body).json()
    wait_until(lambda: running.service.recorder.waiting_count == 0, 10)
    return answer


def give_feedback(client: httpx2.Client, answer: Any, document_id: str, kind: str) -> None:
    body = {"request_id": answer["request_id"], "document_id": document_id, "kind": kind}
    assert client.post("/v1/feedback", json=body).is_success


def list_proposals(client: httpx2.Client, **parameters: Any) -> Any:
    answer = client.get(LIST, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def answer_proposal(client: httpx2.Client, query: str, **body: Any) -> httpx2.Response:
    return client.post(f"{LIST}/{make_query_id(query)}", json=body)


@pytest.mark.usefixtures("folder")
def test_every_kind_of_recorded_search_is_proposed(
    running: RunningService, client: httpx2.Client
) -> None:
    search(running, client, ZEBRA)
    answer = search(running, client, "parental leave")
    give_feedback(client, answer, "leave", "useful")
    give_feedback(client, answer, "sick", "not_useful")
    found = list_proposals(client)
    assert found["total"] == 2
    useful, zebra = found["proposals"]
    assert (useful["id"], useful["query"]) == (make_query_id("parental leave"), "parental leave")
    assert [one["kind"] for one in useful["reasons"]] == ["feedback"]
    assert sorted(useful["suggested"], key=lambda one: one["document_id"]) == [
        {"document_id": "leave", "source": "handbook-articles", "grade": 1},
        {"document_id": "sick", "source": "handbook-articles", "grade": 0},
    ]
    assert zebra["reasons"] == [
        {"kind": "zero_results", "text": "a search found nothing once", "count": 1}
    ]
    only = list_proposals(client, kind="zero_results", limit=1)
    assert [one["query"] for one in only["proposals"]] == [ZEBRA]


def test_answers_are_stored_once_with_the_name_of_the_key(
    running: RunningService, client: httpx2.Client, folder: Path, locked: str
) -> None:
    assert locked
    scopes = ("search", "judge")
    key = create_key(running.service.database, name="Ada", tenant="default", scopes=scopes)
    client.headers["authorization"] = f"Bearer {key}"
    for query in (ZEBRA, "lion", "panther"):
        search(running, client, query)
    documents = [{"document_id": "parking", "grade": 2}, {"document_id": "fire", "grade": 0}]
    stored = answer_proposal(client, ZEBRA, answer="accept", documents=documents)
    assert stored.json() == {
        "id": make_query_id(ZEBRA), "query": ZEBRA, "answer": "accept", "judged_by": "Ada",
        "judgements": 2,
    }  # fmt: skip
    assert answer_proposal(client, "lion", answer="unanswerable").is_success
    assert answer_proposal(client, "panther", answer="reject").is_success
    again = answer_proposal(client, ZEBRA, answer="reject")
    assert again.status_code == 404
    assert again.json()["type"] == "urn:ragline:problem:unknown-proposal"
    assert list_proposals(client)["total"] == 0
    content = read_content(folder)
    judged = {(one.document_id, one.grade, one.judged_by) for one in content.judgements.values()}
    assert judged == {("parking", 2, "Ada"), ("fire", 0, "Ada")}
    assert {one.text: one.is_answerable for one in content.queries.values()} == {
        ZEBRA: True, "lion": False,
    }  # fmt: skip
    (rejected,) = (folder / REJECTIONS).read_text("utf-8").splitlines()
    assert (json.loads(rejected)["text"], json.loads(rejected)["rejected_by"]) == ("panther", "Ada")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"answer": "accept"}, 422, "needs a document with the grade 1 or more"),
        ({"answer": "accept", "documents": [{"document_id": "fire", "grade": 0}]}, 422, "grade 1"),
        ({"answer": "reject", "documents": [{"document_id": "fire", "grade": 1}]}, 422, "takes no"),
        ({"answer": "accept", "documents": [{"document_id": "fyre", "grade": 1}]}, 404, "fyre"),
        ({"answer": "perhaps"}, 422, "answer"),
    ],
)
def test_wrong_answer_is_refused_and_nothing_is_written(
    running: RunningService, client: httpx2.Client, folder: Path, body: Any, status: int,
    message: str,
) -> None:  # fmt: skip
    search(running, client, ZEBRA)
    refused = answer_proposal(client, ZEBRA, **body)
    assert refused.status_code == status
    assert message in refused.json()["detail"]
    assert not folder.exists()


def test_folder_that_cannot_be_written_is_a_clear_problem(
    running: RunningService, client: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    set_folder(running, tmp_path / "file" / "golden", monkeypatch)
    search(running, client, ZEBRA)
    refused = answer_proposal(client, ZEBRA, answer="unanswerable")
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["type"] == "urn:ragline:problem:golden-set-not-written"
    assert "Give the process of the service the permission" in problem["detail"]
    assert str(tmp_path) not in refused.text
    page = look(client, "/review", collection="handbook")
    assert "may not write the folder" in words(find(page, "bad")[0])
    assert page.xpath("//form[@class='review']//button[@type='submit' and @disabled]")


def test_malformed_golden_set_is_a_clear_problem(
    client: httpx2.Client, folder: Path, tmp_path: Path
) -> None:
    folder.mkdir()
    (folder / "queries.jsonl").write_text("no JSON", "utf-8")
    refused = client.get(LIST)
    assert (refused.status_code, refused.json()["type"]) == (
        409, "urn:ragline:problem:golden-set-refused",
    )  # fmt: skip
    assert str(tmp_path) not in refused.text
    assert "ragline golden status" in refused.json()["detail"]


def test_review_needs_the_scope_judge(
    running: RunningService, client: httpx2.Client, locked: str
) -> None:
    assert client.get(LIST, headers={"authorization": f"Bearer {locked}"}).status_code == 403
    sign_in(client, locked)
    assert client.get("/review").status_code == 403
    assert look(client, "/").xpath("//nav//a[@href='/review']") == []
    scopes = ("search", "judge")
    key = create_key(running.service.database, name="Ada", tenant="default", scopes=scopes)
    sign_in(client, key)
    assert look(client, "/review").xpath("//nav//a[@href='/review' and @aria-current]")


def list_fields(page: Any) -> dict[str, str]:
    """The hidden fields of the review form."""
    fields = page.xpath("//form[@class='review']/input[@type='hidden']")
    return {field.get("name"): field.get("value") for field in fields}


def test_person_judges_on_the_page(
    running: RunningService, client: httpx2.Client, folder: Path
) -> None:
    answer = search(running, client, "lunch menu")
    give_feedback(client, answer, "canteen", "click")
    search(running, client, ZEBRA)
    page = look(client, "/review", collection="handbook")
    assert words(page.xpath("//h2[@id='proposed']")[0]) == "lunch menu"
    assert "1 of 2 waiting proposals" in words(page)
    (card,) = [one for one in find(page, "hit") if "Canteen" in words(one)]
    assert "suggested: relevant" in words(card)
    chosen = page.xpath("//input[starts-with(@name, 'grade-') and @checked and @value != '']")
    assert [json.loads(one.get("value")) for one in chosen] == [[1, "handbook-articles", "canteen"]]
    posted = {**list_fields(page), "answer": "accept",
              chosen[0].get("name"): '[2, "handbook-articles", "canteen"]'}  # fmt: skip
    stored = client.post("/review", data=posted, headers=HERE)
    assert stored.status_code == 303, stored.text
    page = look(client, stored.headers["location"])
    assert "Added to the golden set" in words(find(page, "good")[0])
    assert "1 answered by you now" in words(page)
    assert words(page.xpath("//h2[@id='proposed']")[0]) == ZEBRA
    (judgement,) = read_content(folder).judgements.values()
    assert (judgement.document_id, judgement.grade) == ("canteen", 2)


@pytest.mark.usefixtures("folder")
def test_searches_of_the_review_screen_are_not_recorded(
    running: RunningService, client: httpx2.Client
) -> None:
    search(running, client, ZEBRA)
    look(client, "/review", collection="handbook")
    wait_until(lambda: running.service.recorder.waiting_count == 0, 10)
    (zebra,) = list_proposals(client)["proposals"]
    assert zebra["reasons"][0]["count"] == 1


def test_form_without_a_grade_is_shown_again_with_the_fault(
    running: RunningService, client: httpx2.Client, folder: Path
) -> None:
    search(running, client, ZEBRA)
    page = look(client, "/review", collection="handbook")
    zero = next(
        one.get("value")
        for one in page.xpath("//input[@name='grade-1']")
        if one.get("value").startswith("[0")
    )
    posted = {**list_fields(page), "answer": "accept", "grade-1": zero}
    answer = client.post("/review", data=posted, headers=HERE)
    assert answer.status_code == 422
    shown = read(answer)
    assert "at least one document the grade 1 or 2" in words(
        shown.xpath("//*[@id='fault-answer']")[0]
    )
    assert shown.xpath("//input[@name='grade-1' and @checked]/@value") == [zero]
    assert not folder.exists()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("value", ["x", "[1]", "{}", "[[[", "1"])
def test_malformed_grade_is_refused(
    running: RunningService, client: httpx2.Client, value: str
) -> None:
    search(running, client, ZEBRA)
    posted = {"collection": "handbook", "proposal": make_query_id(ZEBRA), "answer": "accept",
              "grade-1": value}  # fmt: skip
    answer = client.post("/review", data=posted, headers=HERE)
    assert answer.status_code == 422
    assert "must be a field of this page" in words(read(answer)).casefold()


def test_answer_from_another_site_is_refused(client: httpx2.Client, folder: Path) -> None:
    posted = {"collection": "handbook", "proposal": "q-1", "answer": "reject"}
    refused = client.post("/review", data=posted, headers={"sec-fetch-site": "cross-site"})
    assert refused.status_code == 403
    assert not folder.exists()


@pytest.mark.usefixtures("folder")
def test_page_without_proposals_says_where_they_come_from(client: httpx2.Client) -> None:
    page = look(client, "/review", collection="handbook")
    assert "No proposal waits for an answer" in words(find(page, "empty")[0])
    assert page.xpath("//form[@class='review']") == []


@pytest.mark.usefixtures("folder")
def test_naughty_query_does_nothing(running: RunningService, client: httpx2.Client) -> None:
    naughty = "<img src=x onerror=alert(1)> {{ 7*7 }}"
    search(running, client, naughty)
    page = look(client, "/review", collection="handbook", proposal=make_query_id(naughty))
    assert words(page.xpath("//h2[@id='proposed']")[0]) == naughty
    assert page.xpath("//main//img") == []
