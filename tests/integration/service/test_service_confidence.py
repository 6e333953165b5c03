"""`confidence` and `min_confidence` of a running service, in its page, metrics and records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from page_elements import find, look, read, words
from running_service import RunningService, wait_until
from sqlalchemy import text

from ragline.client import ServiceClient
from ragline.client.hit_metadata import describe_hit
from ragline.confidence.calibration import Calibration, SearchKind
from ragline.confidence.stored_calibrations import (
    CalibrationOrigin,
    FittedCalibration,
    store_calibrations,
)

Search = Callable[..., dict[str, Any]]
HYBRID = SearchKind("hybrid", is_reranked=False)
# The golden set of the handbook would be too small for a fit, so these weights are stated.
STATED = Calibration(("cosine", "log_keyword_share"), (12.0, 0.0), -6.0, ((-1.0, 1.0), (-4.0, 0.1)))


@pytest.fixture
def calibrated(running: RunningService) -> Iterator[None]:
    """The live generation of the handbook has a calibration for hybrid searches."""
    database = running.service.database
    with database.connect() as connection:
        live = connection.execute(
            text("select live_generation_id from ragline.collections where name = 'handbook'")
        ).scalar_one()
    fitted = FittedCalibration(HYBRID, STATED, None, {})
    store_calibrations(database, live, [fitted], CalibrationOrigin("g", "s", "v"))
    yield
    with database.begin() as connection:
        connection.execute(text("delete from ragline.calibrations"))


def read_count(client: httpx2.Client, metric: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    named = [line for line in lines if line.startswith(f'{metric}{{collection="handbook"}}')]
    return float(named[0].split()[-1]) if named else 0.0


@pytest.mark.usefixtures("calibrated")
def test_next_search_has_the_new_confidence_without_a_restart(search: Search) -> None:
    found = search("parental leave of twelve weeks")
    assert found["confidence_note"] is None
    confidences = [hit["confidence"] for hit in found["hits"]]
    assert confidences[0] > 0.5 > confidences[-1]
    cut = search("parental leave of twelve weeks", min_confidence=0.5)
    assert [hit["document_id"] for hit in cut["hits"]] == [
        hit["document_id"] for hit in found["hits"] if hit["confidence"] >= 0.5
    ]
    assert not cut["is_abstained"]
    assert "were removed" in cut["confidence_note"]


@pytest.mark.usefixtures("calibrated", "no_records")
def test_abstained_search_is_counted_and_recorded_as_such(
    running: RunningService, client: httpx2.Client, search: Search
) -> None:
    before = {
        name: read_count(client, name)
        for name in ("ragline_abstained_total", "ragline_zero_results_total")
    }
    silent = search("sourdough starter temperature", min_confidence=0.5)
    assert (silent["hits"], silent["is_abstained"]) == ([], True)
    assert "The highest confidence is 0." in silent["confidence_note"]
    search("sourdough starter temperature", filter={"metadata.topic": "nothing"})
    wait_until(lambda: running.service.recorder.waiting_count == 0, 10)
    assert read_count(client, "ragline_abstained_total") == before["ragline_abstained_total"] + 1
    assert (
        read_count(client, "ragline_zero_results_total") == before["ragline_zero_results_total"] + 1
    )
    (quality,) = client.get("/v1/quality").json()["collections"]
    assert (quality["requests"], quality["abstained"], quality["zero_results"]) == (2, 1, 1)
    assert quality["abstained_ratio"] == 0.5
    # The record has the confidence that was too low. The search that found nothing has none.
    with running.service.database.connect() as connection:
        recorded = connection.execute(
            text("select best_confidence from ragline.search_requests order by is_abstained desc")
        )
        low, unknown = recorded.scalars()
    assert (0 < low < 0.5, unknown) == (True, None)


def test_minimum_without_a_calibration_is_refused(client: httpx2.Client, search: Search) -> None:
    found = search("parental leave", min_confidence=0)
    assert {hit["confidence"] for hit in found["hits"]} == {None}
    assert "`ragline calibrate handbook` makes one" in found["confidence_note"]
    body = {"collection": "handbook", "query": "parental leave", "min_confidence": 0.5}
    answer = client.post("/v1/search", json=body)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["field"] == "min_confidence"
    assert "has no calibration" in fault["message"]


@pytest.mark.usefixtures("calibrated")
def test_clients_page_and_tools_show_the_confidence(
    running: RunningService, client: httpx2.Client
) -> None:
    with ServiceClient(running.url) as service:
        answer = service.search("handbook", "parental leave", min_confidence=0.01)
    confidence = answer.hits[0].confidence
    assert confidence is not None
    assert describe_hit(answer.hits[0], answer)["confidence"] == confidence
    page = client.get("/", params={"collection": "handbook", "q": "parental leave"}).text
    assert f"confidence {confidence:.2f}" in page
    call = {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": "search",
            "arguments": {
                "collection": "handbook", "query": "sourdough starter", "min_confidence": 0.9,
            },
        },
    }  # fmt: skip
    headers = {"Accept": "application/json, text/event-stream"}
    told = json.loads(client.post("/mcp", json=call, headers=headers).text)
    passages = told["result"]["structuredContent"]
    assert passages["is_abstained"]
    assert "were removed" in passages["confidence_note"]


@pytest.mark.usefixtures("calibrated")
def test_search_form_offers_the_minimum_and_says_that_nothing_reached_it(
    client: httpx2.Client,
) -> None:
    asked = {"collection": "handbook", "q": "sourdough starter temperature"}
    (field,) = look(client, "/", **asked).xpath(
        "//form[@role='search']//input[@id='min_confidence']"
    )
    assert (field.get("value"), field.get("placeholder")) == ("", "0")
    page = look(client, "/", **asked, min_confidence="0.9")
    assert words(page.xpath("//h2[@id='found']")[0]) == "Nothing good enough was found"
    told = words(find(page, "empty")[0])
    assert "hits have a confidence below 0.9 and were removed. The highest confidence is 0." in told
    (field,) = page.xpath("//input[@id='min_confidence']")
    assert field.get("value") == "0.9"
    (everything,) = find(page, "empty")[0].xpath(".//a/@href")
    assert find(look(client, everything), "hit")
    kept = look(client, "/", collection="handbook", q="parental leave", min_confidence="0.5")
    assert [words(hit.xpath(".//h3")[0]) for hit in find(kept, "hit")] == ["Parental leave"]
    assert '"min_confidence": 0.5' in words(find(kept, "code-samples")[0])


@pytest.mark.usefixtures("calibrated")
@pytest.mark.parametrize("text", ["2", "-1", "high", "nan", "0,5"])
def test_wrong_minimum_is_a_fault_of_its_field(client: httpx2.Client, text: str) -> None:
    asked = {"collection": "handbook", "q": "parental leave", "min_confidence": text}
    answer = client.get("/", params=asked)
    assert answer.status_code == 422
    page = read(answer)
    (field,) = page.xpath("//input[@id='min_confidence']")
    assert (field.get("value"), field.get("aria-invalid")) == (text, "true")
    assert words(page.xpath("//p[@id='fault-min_confidence']")[0])


def test_search_form_without_a_calibration_explains_why(client: httpx2.Client) -> None:
    for asked in ({}, {"q": "parental leave"}):
        page = look(client, "/", collection="handbook", **asked)
        assert page.xpath("//input[@id='min_confidence']") == []
        told = words(find(page, "uncalibrated")[0])
        assert "because its index has no calibration" in told
        assert "ragline calibrate handbook" in told
    asked = {"collection": "handbook", "q": "parental leave", "min_confidence": "0.5"}
    answer = client.get("/", params=asked)
    assert answer.status_code == 422
    told = words(read(answer).xpath("//p[@id='fault-min_confidence']")[0])
    assert "has no calibration" in told


@pytest.mark.usefixtures("calibrated")
def test_comparison_keeps_the_minimum_and_says_that_nothing_reached_it(
    client: httpx2.Client,
) -> None:
    page = look(
        client, "/compare", collection="handbook", q="sourdough starter", min_confidence="0.9",
        other_mode="hybrid",
    )  # fmt: skip
    assert [words(one).split(".")[0] for one in find(page, "empty")] == [
        "Nothing good enough was found"
    ] * 2
