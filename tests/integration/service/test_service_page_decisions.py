"""The buttons of the page of generations: its forms are posted as a browser does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from database_copies import DatabaseServer
from page_elements import HERE, find, look, read, sign_in, words
from planted_candidates import CONFIGURATION, plant_candidate, share_collection
from running_service import RunningService, run_service, wait_until

from ragline.access.keys import Scope, create_key
from ragline.configuration import load_configuration
from ragline.embedder.embedder import Embedder
from ragline.gate.judgement import judge_candidate
from ragline.gate.report import GateReport
from ragline.gate.stored_reports import store_report
from ragline.lifecycle.generation_decisions import Decision, refuse_generation, roll_back
from ragline.lifecycle.generation_records import read_record
from ragline.lifecycle.run_context import RunContext

ADA = Decision("ada", "planted")


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
    database_server: DatabaseServer,
    template: str,
    embedder: Embedder,
    model_cache: Path,
    run_stages: Callable[[RunContext], object],
) -> Iterator[RunningService]:
    """A service over a collection with a golden set. Each test plants its own candidate."""
    shared = share_collection(
        database_server, "notes", template, CONFIGURATION, embedder, run_stages
    )
    folder = tmp_path_factory.mktemp("decisions")
    shutil.copytree(shared.folder, folder, dirs_exist_ok=True)
    (folder / ".ragline").mkdir(exist_ok=True)
    (folder / ".ragline" / "models").symlink_to(model_cache)
    with (
        database_server.copy(shared.name) as url,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("RAGLINE_DATABASE_URL", url)
        with run_service(load_configuration(folder / "ragline.yaml")) as running:
            wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
            yield running


@pytest.fixture
def candidate(running: RunningService) -> int:
    """A copy of the live generation that no other test uses."""
    return plant_candidate(running.service.database)


@pytest.fixture(scope="module")
def passed(running: RunningService) -> GateReport:
    """The report of the gate about a copy of the live generation."""
    service = running.service
    equal = plant_candidate(service.database)
    report = judge_candidate(
        service.database, running.configuration, "notes", equal, models=service.searcher.models
    )
    refuse_generation(service.database, equal, ADA)
    assert report.verdict == "passed"
    return report


@pytest.fixture
def judge(running: RunningService, passed: GateReport) -> Callable[[int], int]:
    """Stores the report of the gate about another equal candidate; returns its id."""

    def store(candidate: int) -> int:
        about = replace(passed, candidate=replace(passed.candidate, id=candidate))
        return store_report(running.service.database, about, "ada")

    return store


def list_buttons(page: Any, generation: int) -> dict[str, Any]:
    """The forms about a generation, by the value of their button."""
    (build,) = page.xpath(f"//article[@aria-labelledby='generation-{generation}']")
    return {form.xpath(".//button/@value")[0]: form for form in build.iter("form")}


def press(
    client: httpx2.Client, page: Any, generation: int, button: str, **typed: str
) -> httpx2.Response:
    """Send a form of the page with the typed fields."""
    form = list_buttons(page, generation)[button]
    hidden = {one.get("name"): one.get("value") for one in form.xpath(".//input[@type='hidden']")}
    offered = {one.get("name") for one in form.xpath(".//input[not(@type='hidden')]")}
    assert typed.keys() <= offered
    fields = {**hidden, "action": button, "reason": "", **typed}
    assert form.get("method") == "post"
    return client.post(form.get("action"), data=fields, headers=HERE)


def open_generations(client: httpx2.Client) -> Any:
    return look(client, "/generations", collection="notes")


def read_done(client: httpx2.Client, answer: httpx2.Response) -> str:
    """The sentence of the page to which an accepted decision leads."""
    assert answer.status_code == 303, answer.text
    return words(find(look(client, answer.headers["location"]), "good")[0])


def read_problem(answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return words(find(read(answer), "notice")[0])


def find_live(client: httpx2.Client) -> int:
    body = {"collection": "notes", "query": "the port"}
    return int(client.post("/v1/search", json=body).json()["generation"])


def read_state(running: RunningService, generation: int) -> str:
    return read_record(running.service.database, generation)[0].state


def test_passed_candidate_is_approved_promoted_and_rolled_back(
    running: RunningService, client: httpx2.Client, candidate: int, judge: Callable[[int], int]
) -> None:
    live = find_live(client)
    report = judge(candidate)
    page = open_generations(client)
    approved = press(client, page, candidate, "approve", reason="read the report")
    assert read_done(client, approved) == "The approval is recorded."
    assert read_state(running, candidate) == "candidate"
    promoted = press(client, page, candidate, "promote", reason="equal")
    assert read_done(client, promoted) == "The generation is live now."
    assert find_live(client) == candidate
    returned = press(client, open_generations(client), candidate, "rollback", reason="a trial")
    assert read_done(client, returned) == "Searches use the previous release again."
    assert find_live(client) == live
    trail = [(one.to_state, one.changed_by, one.reason) for one in
             read_record(running.service.database, candidate)[1]]  # fmt: skip
    assert trail[-2:] == [
        ("live", "local caller", "equal"), ("retired", "local caller", "a trial"),
    ]  # fmt: skip
    card = words(look(client, f"/generations/{candidate}/card", collection="notes"))
    assert f"approved by local caller on report {report}: read the report" in card


def test_candidate_without_a_passed_report_is_promoted_only_by_force(
    running: RunningService, client: httpx2.Client, candidate: int
) -> None:
    live = find_live(client)
    page = open_generations(client)
    assert list_buttons(page, candidate).keys() == {"promote", "refuse"}
    refused = press(client, page, candidate, "promote", reason="it is needed")
    assert "ragline gate notes" in read_problem(refused, 409)
    assert find_live(client) == live
    forced = press(client, page, candidate, "promote", reason="it is needed", force="yes")
    assert read_done(client, forced) == "The generation is live now."
    assert find_live(client) == candidate
    assert read_record(running.service.database, candidate)[1][-1].is_forced
    roll_back(running.service.database, "notes", ADA)


def test_force_is_offered_only_if_the_gate_has_not_passed_the_candidate(
    client: httpx2.Client, candidate: int, judge: Callable[[int], int]
) -> None:
    def offers_force() -> bool:
        form = list_buttons(open_generations(client), candidate)["promote"]
        return bool(form.xpath(".//input[@name='force']"))

    assert offers_force()
    judge(candidate)
    assert not offers_force()


def test_every_decision_needs_a_reason(
    running: RunningService, client: httpx2.Client, candidate: int, judge: Callable[[int], int]
) -> None:
    judge(candidate)
    page = open_generations(client)
    for button in ("approve", "promote", "refuse"):
        (field,) = list_buttons(page, candidate)[button].xpath(".//input[@name='reason']")
        assert field.get("required") is not None
        for reason in ("", "   "):
            answer = press(client, page, candidate, button, reason=reason)
            assert "Reason: say why" in read_problem(answer, 422)
    assert read_state(running, candidate) == "candidate"


def test_only_the_scope_approve_decides(
    running: RunningService, client: httpx2.Client, candidate: int, locked: str
) -> None:
    assert locked
    database = running.service.database
    names: tuple[Scope, ...] = ("search", "judge", "admin", "push", "feedback")
    others = create_key(database, name="others", tenant="default", scopes=names)
    bob = create_key(database, name="bob", tenant="default", scopes=("search", "approve"))
    sign_in(client, bob)
    page = open_generations(client)
    sign_in(client, others)
    for button, typed in (("promote", {"force": "yes"}), ("refuse", {})):
        answer = press(client, page, candidate, button, reason="mine", **typed)
        assert "approve" in read_problem(answer, 403)
    assert read_state(running, candidate) == "candidate"
    sign_in(client, bob)
    assert press(client, page, candidate, "refuse", reason="too small").status_code == 303
    event = read_record(database, candidate)[1][-1]
    assert (event.to_state, event.changed_by) == ("refused", "key bob")


def test_page_made_before_the_candidate_was_refused_decides_nothing(
    running: RunningService, client: httpx2.Client, candidate: int, judge: Callable[[int], int]
) -> None:
    judge(candidate)
    page = open_generations(client)
    refuse_generation(running.service.database, candidate, ADA)
    for button in ("approve", "promote", "refuse"):
        told = read_problem(press(client, page, candidate, button, reason="still good"), 409)
        assert f"Generation {candidate} of notes is refused now" in told
        assert "showed it as candidate" in told
    assert read_record(running.service.database, candidate)[1][-1].changed_by == "ada"


def test_page_made_before_a_promotion_rolls_nothing_back(
    running: RunningService, client: httpx2.Client, candidate: int
) -> None:
    live = find_live(client)
    page = open_generations(client)
    assert press(client, page, candidate, "promote", reason="x", force="yes").status_code == 303
    outdated = open_generations(client)
    newer = plant_candidate(running.service.database)
    page = open_generations(client)
    assert press(client, page, newer, "promote", reason="x", force="yes").status_code == 303
    told = read_problem(press(client, outdated, candidate, "rollback", reason="worse"), 409)
    assert f"Generation {candidate} of notes is retired now" in told
    assert find_live(client) == newer
    for expected in (candidate, live):
        roll_back(running.service.database, "notes", ADA)
        assert find_live(client) == expected


def test_approval_of_an_older_report_is_refused(
    client: httpx2.Client, candidate: int, judge: Callable[[int], int]
) -> None:
    judge(candidate)
    page = open_generations(client)
    newer = judge(candidate)
    answer = press(client, page, candidate, "approve", reason="read it")
    assert f"{newer}" in read_problem(answer, 409)
