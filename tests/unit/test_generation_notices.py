"""What an operator must decide about a generation, from the settings and the states alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ragline.configuration import ChunkingSettings, CollectionSettings
from ragline.lifecycle.generation_notices import describe_decision
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.open_generations import list_differences
from ragline.lifecycle.release_conditions import Obstacle
from ragline.lifecycle.search_index import is_promoted_by_sync
from ragline.text_analysis import VERSION

MANUAL = CollectionSettings(name="docs", embedding_model="small", build="manual")
AUTOMATIC = MANUAL.model_copy(update={"build": "automatic"})
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIVE = Generation(
    id=1, state="live", embedding_space_id=1, space_fingerprint="f", model="small", dimension=8,
    chunker_fingerprint="c", chunking=ChunkingSettings(), language="english",
    analysis_version=VERSION, entry_count=1, lexeme_count=1, weighted_length=1.0,
    promoted_at=NOW, retired_at=None, held_at=None,
)  # fmt: skip
WANTED = replace(LIVE, id=2, state="candidate", language="german", promoted_at=None)
BUILD, PROMOTE = "`ragline generation build docs`", "`ragline generation promote 2`"


@pytest.mark.parametrize("settings", [MANUAL, AUTOMATIC])
def test_nothing_is_to_decide_when_the_wanted_generation_is_live_or_none_is(
    settings: CollectionSettings,
):
    assert describe_decision(settings, LIVE, LIVE) is None
    assert describe_decision(settings, None, None) is None
    assert describe_decision(settings, None, WANTED) is None


@pytest.mark.parametrize("state", ["building", "candidate", "retired"])
def test_nothing_is_to_decide_when_syncs_build_and_promote(state: str):
    assert describe_decision(AUTOMATIC, LIVE, replace(WANTED, state=state)) is None
    assert describe_decision(AUTOMATIC, LIVE, None) is None


@pytest.mark.parametrize(
    ("state", "is_held", "command"),
    [
        ("building", False, f"is not complete; {BUILD} continues the build"),
        ("candidate", False, f"is not live; make it live with {PROMOTE}"),
        ("retired", False, f"is not live; make it live with {PROMOTE}"),
        ("retired", True, f"was refused or rolled back; make it live with {PROMOTE}"),
        ("candidate", True, f"was refused or rolled back; make it live with {PROMOTE}"),
        ("refused", True, f"was refused; build it again with {BUILD}"),
    ],
)
def test_notice_names_the_state_and_the_command(state: str, is_held: bool, command: str):
    wanted = replace(WANTED, state=state, held_at=NOW if is_held else None)
    notice = describe_decision(MANUAL, LIVE, wanted)
    assert notice is not None
    assert command in notice
    assert "\n" not in notice
    # A hold is an operator's decision in both modes.
    assert (describe_decision(AUTOMATIC, LIVE, wanted) == notice) is is_held


def test_build_that_runs_is_nothing_to_decide():
    building = replace(WANTED, state="building")
    for held_at in (None, NOW):
        fresh = replace(building, held_at=held_at)
        assert describe_decision(MANUAL, LIVE, fresh, builder="ragline build-1") is None
        # A sync also builds what is held. A hold concerns the promotion.
        assert describe_decision(AUTOMATIC, LIVE, fresh) is None
    # Another build runs.
    for wanted in (None, replace(WANTED, state="refused", held_at=NOW)):
        notice = describe_decision(MANUAL, LIVE, wanted, builder="ragline build-1")
        assert f"{BUILD} when the build by ragline build-1 has ended" in (notice or "")


def test_held_candidate_needs_first_what_a_promotion_needs():
    held = replace(WANTED, held_at=NOW)
    missing = Obstacle("it is not judged; run the gate", is_judgement_missing=True)
    assert describe_decision(AUTOMATIC, LIVE, held, missing) == (
        "generation 2 with these settings was refused or rolled back, so no sync promotes it: it "
        "is not judged; run the gate"
    )


def test_notice_names_the_settings_that_differ():
    changed = MANUAL.model_copy(
        update={"embedding_model": "large", "chunking": ChunkingSettings(max_tokens=50)}
    )
    assert describe_decision(changed, LIVE, None) == (
        "the settings differ from the live generation 1 (embedding_model, chunking); build a new "
        f"one with {BUILD}"
    )


def test_differences_are_the_settings_of_the_index():
    assert list_differences(LIVE, MANUAL) == []
    assert list_differences(LIVE, MANUAL.model_copy(update={"language": "german"})) == ["language"]
    assert list_differences(replace(LIVE, analysis_version=None), MANUAL) == [
        "text analysis of this release"
    ]
    # Settings of searches are not part of a generation.
    assert list_differences(LIVE, MANUAL.model_copy(update={"reranker": "x"})) == []


def test_sync_promotes_only_what_no_operator_decided_against():
    assert is_promoted_by_sync(WANTED, AUTOMATIC)
    assert not is_promoted_by_sync(replace(WANTED, held_at=NOW), AUTOMATIC)
    assert not is_promoted_by_sync(WANTED, MANUAL)


def test_notice_names_what_prevents_a_promotion():
    missing = Obstacle("generation 2 is not judged; run the gate", is_judgement_missing=True)
    assert describe_decision(MANUAL, LIVE, WANTED, missing) == missing.text
    # A sync judges the candidate itself, and a person approves it.
    assert describe_decision(AUTOMATIC, LIVE, WANTED, missing) is None
    unapproved = Obstacle("approve generation 2", is_approval_missing=True)
    assert describe_decision(AUTOMATIC, LIVE, WANTED, unapproved) == unapproved.text
    # A decision against the generation comes first.
    held = describe_decision(MANUAL, LIVE, replace(WANTED, held_at=NOW), missing)
    assert held is not None
    assert "was refused or rolled back" in held
