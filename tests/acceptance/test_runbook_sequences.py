"""Runbooks whose commands depend on each other: a test runs them in the order of the page."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from checkout import Checkout
from command_process import start_command
from database_copies import DatabaseServer
from runbook_pages import RUNBOOKS, SEQUENCES, list_commands
from sqlalchemy import make_url

from ragline.storage.postgres_programs import PostgresPrograms

pytestmark = pytest.mark.timeout(900)


def read_commands(name: str) -> Iterator[str]:
    """Yield the commands of a page in their order."""
    assert name in SEQUENCES
    yield from list_commands(RUNBOOKS / f"{name}.md")


def run(checkout: Checkout, command: str, status: int = 0) -> str:
    done = checkout.run_shell(command)
    assert done.returncode == status, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_refused_candidate_is_understood_and_then_refused_or_built_again(
    checkout: Checkout,
) -> None:
    checkout.change("max_tokens: 20, overlap_tokens: 5", "max_tokens: 200, overlap_tokens: 0")
    run(checkout, "ragline generation build handbook")
    judge, show, refuse, build, again = read_commands("refused-candidate")
    said = run(checkout, judge, status=1)
    assert re.search(r"^refused +ndcg@10: nDCG@10 falls by", said, re.MULTILINE)
    assert (
        (checkout.folder / "gate.md").read_text("utf-8").startswith("# Gate of handbook: refused")
    )
    assert "generation 2, candidate" in run(checkout, show)
    run(checkout, refuse)
    assert checkout.list_generations() == [(1, "live"), (2, "refused")]
    checkout.change("max_tokens: 200, overlap_tokens: 0", "max_tokens: 20, overlap_tokens: 10")
    run(checkout, build)
    assert "passed (64 queries" in run(checkout, again)


@pytest.fixture
def service(checkout: Checkout) -> Iterator[httpx2.Client]:
    """The service of the checkout."""
    process = start_command(("serve", "--port", "0"), checkout.folder, checkout.environment)
    try:
        assert process.stderr is not None
        address = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert address is not None
        with httpx2.Client(base_url=address[0], timeout=60) as client:
            deadline = time.monotonic() + 120
            while client.get("/readyz").status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_leaked_key_is_revoked_replaced_and_its_use_is_found(
    checkout: Checkout, service: httpx2.Client
) -> None:
    leaked = run(checkout, "ragline keys create search-page --principal '*'").strip()
    leaked_id = leaked.split("_")[1]
    listed, revoke, create, find = (
        command.replace("0123456789ab", leaked_id) for command in read_commands("key-leaked")
    )
    # Without another key, the service would answer requests from this machine.
    run(checkout, "ragline keys create monitor")
    assert search(service, leaked) == 200
    path = "/v1/collections/handbook/documents/coast-0"
    service.get(path, headers={"x-api-key": leaked})
    assert f"{leaked_id} search-page: tenant default" in run(checkout, listed)
    run(checkout, revoke)
    assert search(service, leaked) == 401
    assert search(service, run(checkout, create).strip()) == 200
    deadline = time.monotonic() + 30
    while path not in (said := run(checkout, find)):
        assert time.monotonic() < deadline, said
    assert "POST /v1/search, collection handbook, status 200: 1 request, " in said
    assert said.endswith("2 requests\n")
    unknown = checkout.run_shell("ragline keys requests 0123456789ab")
    assert unknown.returncode == 2
    assert "see: ragline keys list" in unknown.stderr


def search(service: httpx2.Client, key: str) -> int:
    asked = {"collection": "handbook", "query": "port"}
    return service.post("/v1/search", json=asked, headers={"x-api-key": key}).status_code


@pytest.fixture
def restored_url(
    checkout: Checkout, database_server: DatabaseServer, tmp_path: Path
) -> Iterator[str]:
    """The address of a database that the runbook creates."""
    programs = PostgresPrograms(tmp_path, ()).folder
    checkout.environment["PATH"] = f"{programs}:{checkout.environment['PATH']}"
    name = str(make_url(checkout.environment["RAGLINE_DATABASE_URL"]).database)
    restored = f"{name}_restored"
    url = make_url(database_server.url).set(database=restored)
    yield url.render_as_string(hide_password=False)
    database_server.drop(restored)


def test_restored_database_catches_up_and_agrees_with_its_sources(
    checkout: Checkout, restored_url: str
) -> None:
    url = checkout.environment["RAGLINE_DATABASE_URL"]
    checkout.environment["RESTORED_DATABASE_URL"] = restored_url
    name = make_url(restored_url).database
    dump, *commands = (
        command.replace("ragline_restored", str(name))
        for command in read_commands("restore-from-backup")
    )
    run(checkout, dump)
    before = checkout.read("ragline generation list")
    # A change after the backup, which only the source has.
    path = checkout.folder / "coast.jsonl"
    path.write_text(path.read_text("utf-8").replace("again", "a second time"), encoding="utf-8")
    for command in commands:
        name, _, value = command.removeprefix("export ").partition("=")
        if command.startswith("export "):
            (variable,) = shlex.split(value)
            checkout.environment[name] = checkout.environment[variable.removeprefix("$")]
        else:
            run(checkout, command)
    assert checkout.environment["RAGLINE_DATABASE_URL"] == restored_url != url
    assert (
        checkout.read("ragline generation list")["generations"][0]["id"]
        == (before["generations"][0]["id"])
    )
    assert "a second time" in run(checkout, "ragline search handbook 'a second time' --top-k 5")
