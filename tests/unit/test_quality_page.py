"""The page of freshness and quality, with a source that has every kind of alarm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import html

from ragline.alarms import create_alarm
from ragline.lifecycle.ledger import Failure
from ragline.lifecycle.states import STATES
from ragline.status import (
    Clock,
    ClockReadings,
    HeldRemovals,
    ProofStatus,
    SourceStatus,
)
from retrieval_api.page.forms import PERIODS_DAYS
from retrieval_api.page.plots import build_plots
from retrieval_api.page.rendering import load_environment
from retrieval_api.page.views import build_source_views

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class FakeCaller:
    """A caller with all scopes, or with the scope `search` only."""

    key = None

    def __init__(self, *, is_admin: bool) -> None:
        self._is_admin = is_admin

    def is_permitted(self, scope: str) -> bool:
        return self._is_admin or scope == "search"


def make_source(**changes: Any) -> SourceStatus:
    readings = ClockReadings(40, 2, 10.0, 90.0, 700.0, 900.0)
    stated = {
        "source": "wiki", "collection": "handbook", "kind": "web",
        "documents": dict.fromkeys(STATES, 1), "entries": 1,
        "failures": [Failure("a.pdf", "quarantined", "EncryptedDocumentError", "is <protected>")],
        "held": HeldRemovals(30, NOW, ["<b>", "c"]), "listed_at": NOW, "proven_at": NOW,
        "age_seconds": 61.0, "unreachable_since": NOW, "unreachable_error": "no route",
        "last_run_id": "run", "last_started_at": NOW, "last_finished_at": None,
        "last_error": "the source is <away>",
        "visible": Clock(600.0, 4_000.0, "late", readings),
        "forgotten": Clock(600.0, 0.0, "unproven"),
        "proof": ProofStatus(NOW, "run", False, True, 3, 2, 3, 0.1, 4, [("a", "is new")], None),
        "visible_p95_seconds": None, "visible_max_seconds": None,
        "alarms": ["30 removals are held; if the source really lost them: …"],
    }  # fmt: skip
    return SourceStatus(**(stated | changes))


def show(*sources: SourceStatus, is_admin: bool = True) -> Any:
    text = load_environment().get_template("quality.html").render(
        root="", assets="/page", tab="quality", caller=FakeCaller(is_admin=is_admin),
        collections=["handbook"], collection="handbook", days=7, periods=PERIODS_DAYS,
        alarms=[], unanswered=[],
        sources=build_source_views(sources), may_see_plots=is_admin,
        plots=build_plots(NOW.date() - timedelta(days=6), NOW.date(), None, [], []),
    )  # fmt: skip
    return html.fromstring(text)


def words(element: Any) -> str:
    return " ".join(element.text_content().split())


def test_alarms_and_clocks_are_described_in_words() -> None:
    page = show(make_source())
    (source,) = page.find_class("source")
    said = words(source)
    for part in (
        "30 removals are held; if the source really lost them", "alarm", "late", "unproven",
        "a change waits for 1 hour; the limit is 10 minutes",
        "the p95 of 40 changes in 30 days is 1 minute; 2 exceeded the limit",
        "30 since 2026-03-01 12:00:00 UTC: <b>, c, …", "4 differences",
        "failed: the source is <away>", "quarantined: is <protected>",
    ):  # fmt: skip
        assert part in said
    assert len(source.find_class("over")) == 1


def test_alarm_shows_cause_remedy_and_runbook() -> None:
    alarm = create_alarm(
        "source_unreachable", collection="handbook", source="wiki",
        cause="source wiki cannot be reached: <away>", remedy="restore access",
    )  # fmt: skip
    page = show(make_source(alarms=[alarm.text], alarm_details=[alarm]))
    (shown,) = page.find_class("alarms")
    assert words(shown) == (
        "Source wiki cannot be reached: <away>. Restore access. "
        "Runbook: docs/runbooks/source-unreachable.md"
    )


def test_names_and_addresses_are_for_administrators() -> None:
    said = words(show(make_source(), is_admin=False))
    assert "<away>" not in said
    assert "<protected>" not in said
    assert "scope admin" in said


def test_failed_proof_shows_its_reason() -> None:
    proof = ProofStatus(NOW, None, False, False, 3, 0, 3, 0.1, 0, [], "it did not answer")
    assert "could not be compared: it did not answer" in words(show(make_source(proof=proof)))


def test_sources_with_alarms_are_first() -> None:
    clock = Clock(600.0, 0.0, "kept")
    fine = make_source(source="fine", alarms=[], visible=clock, forgotten=clock)
    page = show(fine, make_source())
    assert [words(source.xpath(".//h3")[0]) for source in page.find_class("source")] == [
        "wiki", "fine",
    ]  # fmt: skip
    assert len({svg.get("aria-labelledby") for svg in page.find_class("clock")}) == 4


def test_missing_sync_shows_the_command_to_run() -> None:
    assert "No source was synced yet. Run ragline sync" in words(show())
