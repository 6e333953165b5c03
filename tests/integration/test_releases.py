"""Search settings change with a promotion and return with a rollback, like the generation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lifecycle_doubles import (
    DIMENSION,
    MAX_TOKENS,
    HashEmbedder,
    TreeRunContext,
    TreeSource,
    make_run_context,
    sync,
)
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ragline.command_line.generation_output import describe_release
from ragline.configuration import CollectionSettings, SearchSettings
from ragline.errors import GenerationStateError
from ragline.lifecycle.build_plan import plan_build
from ragline.lifecycle.generation_builds import build_generation
from ragline.lifecycle.generation_decisions import (
    Decision,
    Promotion,
    promote_by_id,
    promote_candidate,
    roll_back,
)
from ragline.lifecycle.generation_notices import read_notices
from ragline.lifecycle.index_report import IndexReport
from ragline.lifecycle.release_list import list_releases
from ragline.lifecycle.releases import Release, find_release
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database
from ragline.text_analysis import VERSION

ADA = Decision("ada", "better hits")
GERMAN = {"language": "german"}
WEIGHTS = {"old": 0.5, "new": 0.9, "other": 0.1}


def make_search(name: str) -> dict[str, Any]:
    return {"search": SearchSettings(vector_weight=WEIGHTS[name])}


@dataclass
class Site:
    """A synced collection, the settings of its file, and what searches use."""

    database: Database
    home: Path
    tree: TreeSource = field(default_factory=TreeSource)
    file: dict[str, Any] = field(default_factory=lambda: {"build": "manual"})
    runs: int = 0

    def open(self) -> TreeRunContext:
        self.runs += 1
        embedder = HashEmbedder()
        return make_run_context(
            self.database, self.home, self.tree, embedder, run_id=f"run-{self.runs}",
            collection=self.file, models={"hash": embedder},
        )  # fmt: skip

    def write(self, name: str, **changes: Any) -> None:
        """Change the file."""
        self.file = {**self.file, **make_search(name), **changes}

    def sync(self) -> IndexReport:
        return sync(self.open()).index

    def build(self) -> int:
        with self.open() as run_context:
            return build_generation(run_context, "tree", ADA).generation

    def promote(self) -> Promotion:
        return promote_candidate(self.database, self.open().configuration, "tree", ADA)

    def promote_id(self, generation_id: int) -> Promotion:
        return promote_by_id(self.database, self.open().configuration, generation_id, ADA)

    def roll_back(self, **options: Any) -> Promotion:
        return roll_back(self.database, "tree", ADA, **options)

    def notice(self) -> str | None:
        return read_notices(self.database, self.open().configuration).get("tree")

    def release(self) -> Release | None:
        with self.database.connect() as connection:
            return find_release(connection, "tree")

    def served(self, generation_id: int | None = None) -> tuple[int, str]:
        """The generation and the name of the settings that a search uses."""
        searcher = Searcher(self.database, self.open().configuration)
        request = SearchRequest("tree", "ferry", mode="keyword")
        answer = searcher.search(request, generation_id=generation_id)
        for name in WEIGHTS:
            settings = CollectionSettings(name="tree", **make_search(name))
            if settings.search_fingerprint == answer.settings_fingerprint:
                return answer.generation, name
        raise AssertionError(answer.settings_fingerprint)

    def forget_releases(self) -> None:
        """Make the database one that an older release of Ragline has written."""
        with self.database.begin() as connection:
            connection.execute(text("alter table ragline.releases disable trigger user"))
            connection.execute(text("delete from ragline.releases"))
            connection.execute(text("alter table ragline.releases enable trigger user"))


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    made = Site(database, tmp_path)
    made.tree.write("harbour", "the ferry leaves at seven")
    made.tree.write("garden", "tomatoes want sun and water")
    made.sync()
    return made


def test_change_waits_for_a_promotion_and_a_rollback_returns_to_the_old_settings(site: Site):
    first = site.release()
    assert first is not None
    assert (first.generation_id, first.previous_id, first.released_by) == (1, None, "run run-1")
    site.write("new")
    index = site.sync()
    notice = (
        "searches do not use the changed settings of the file yet (search.vector_weight); release "
        "them with `ragline generation promote 1`"
    )
    assert (index.is_live, index.reason, index.notice, site.notice()) == (
        True, None, notice, notice,
    )  # fmt: skip
    with site.open() as run_context:
        plan = plan_build(run_context, "tree")
    assert (plan.action, plan.warnings) == ("none", [notice])
    assert site.served() == (1, "old")
    # An explicit generation is measured with the settings of the file.
    assert site.served(1) == (1, "new")
    promotion = site.promote()
    assert (promotion.generation, promotion.retired_generation) == (1, None)
    assert (promotion.settings, promotion.based_on) == (("search.vector_weight",), "no_golden_set")
    assert (site.served(), site.notice()) == ((1, "new"), None)
    second = site.release()
    assert second is not None
    assert (second.previous_id, second.released_by, second.reason) == (
        first.id, "ada", "better hits",
    )  # fmt: skip
    returned = site.roll_back()
    assert (returned.generation, returned.settings) == (1, ("search.vector_weight",))
    assert (site.served(), site.notice()) == ((1, "old"), notice)
    with pytest.raises(GenerationStateError, match="no retired generation to return to"):
        site.roll_back()
    assert site.promote_id(1).settings == ("search.vector_weight",)
    assert site.served() == (1, "new")


def test_nothing_is_promoted_without_a_candidate_and_without_a_change(site: Site):
    with pytest.raises(GenerationStateError, match="no candidate to promote"):
        site.promote()
    with pytest.raises(GenerationStateError, match="cannot be promoted: it is live"):
        site.promote_id(1)


def test_candidate_brings_the_settings_of_the_file_and_a_rollback_takes_both_back(site: Site):
    site.write("new", **GERMAN)
    candidate = site.build()
    assert site.served() == (1, "old")
    assert site.served(candidate) == (candidate, "new")
    site.promote()
    assert (site.served(), site.notice()) == ((candidate, "new"), None)
    # The settings change again. The first rollback takes them back, the second one the rest.
    site.write("other")
    site.promote()
    assert site.served() == (candidate, "other")
    site.roll_back()
    assert site.served() == (candidate, "new")
    site.roll_back()
    assert site.served() == (1, "old")
    # The operator returns to what was rolled back, and then again to the release before.
    site.promote_id(candidate)
    assert site.served() == (candidate, "new")
    site.roll_back()
    assert site.served() == (1, "old")


def test_rollback_of_a_generation_also_takes_back_later_settings(site: Site):
    site.write("new", **GERMAN)
    candidate = site.build()
    site.promote()
    site.write("other")
    site.promote()
    # The watch after a promotion names the generation that it replaces.
    assert site.roll_back(replaced_id=candidate).generation == 1
    assert site.served() == (1, "old")


def test_return_to_an_older_generation_by_its_id_returns_to_its_settings(site: Site):
    site.write("new", **GERMAN)
    site.build()
    site.promote()
    site.promote_id(1)
    assert site.served() == (1, "old")


def test_automatic_sync_releases_settings_but_not_those_that_were_rolled_back(site: Site):
    site.write("new", build="automatic")
    assert site.notice() is None
    assert site.sync().notice is None
    assert site.served() == (1, "new")
    release = site.release()
    assert release is not None
    assert release.reason == "the file has new settings"
    site.roll_back()
    assert site.sync().notice == site.notice()
    assert "release them with `ragline generation promote 1`" in str(site.notice())
    assert site.served() == (1, "old")
    site.write("other")
    site.sync()
    assert site.served() == (1, "other")


def test_database_of_an_older_release_uses_the_file_until_the_first_promotion(site: Site):
    site.forget_releases()
    site.write("new")
    assert (site.sync().notice, site.notice()) == (None, None)
    assert site.served() == (1, "new")
    site.write("other", **GERMAN)
    candidate = site.build()
    site.promote()
    assert site.served() == (candidate, "other")
    site.write("new")
    assert site.served() == (candidate, "other")
    # The settings of generation 1 are not known.
    site.roll_back()
    assert site.served() == (1, "other")


def test_list_of_releases_says_how_each_was_built_and_what_changed(site: Site):
    site.write("new", language="german", chunking={"max_tokens": 16, "overlap_tokens": 4})
    site.build()
    site.promote()
    site.write("other")
    site.promote()
    site.roll_back()
    site.roll_back()
    first, built, tuned, returned, back = list_releases(site.database, "tree")
    assert first.build_settings == {
        "embedding_model": "hash", "model_files": "0" * 12, "dimension": DIMENSION,
        "chunking.max_tokens": MAX_TOKENS, "chunking.overlap_tokens": 0, "language": "english",
        "text_analysis": VERSION,
    }  # fmt: skip
    assert (first.build_changes, first.changes) == ({}, {})
    assert built.build_changes == {
        "chunking.max_tokens": 16, "chunking.overlap_tokens": 4, "language": "german",
    }  # fmt: skip
    assert built.build_settings == {**first.build_settings, **built.build_changes}
    assert built.changes == {"search.vector_weight": WEIGHTS["new"]}
    assert (tuned.build_changes, tuned.changes) == (
        {}, {"search.vector_weight": WEIGHTS["other"]},
    )  # fmt: skip
    assert (returned.build_changes, returned.generation_id) == ({}, 2)
    assert (back.build_changes["language"], back.generation_id) == ("english", 1)
    line = describe_release(built)
    assert "generation 2 (hash, dimension 8, chunks of 16 tokens, overlap 4, german)" in line
    assert "language is now german; search.vector_weight is now 0.9" in line


def test_releases_are_append_only(site: Site):
    for change in ("update ragline.releases set reason = 'x'", "delete from ragline.releases"):
        with (
            pytest.raises(DBAPIError, match="append-only"),
            site.database.begin() as connection,
        ):
            connection.execute(text(change))
