"""A failed blocking check of a source prevents the promotion of a candidate with its documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lifecycle_doubles import HashEmbedder, TreeRunContext, TreeSource, make_run_context, sync
from sqlalchemy import text

from ragline.errors import PromotionRefusedError
from ragline.lifecycle.blocking_checks import record_blocking_checks
from ragline.lifecycle.generation_builds import build_generation
from ragline.lifecycle.generation_decisions import Decision, promote_candidate, roll_back
from ragline.storage.database import Database

ADA = Decision("ada", "better hits")
FORCED = Decision("ada", "the check is wrong", is_forced=True)
GERMAN = {"language": "german"}


class Site:
    """A tree with one live generation."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database, self.home = database, home
        self.tree, self.embedder = TreeSource(), HashEmbedder()
        self.tree.write("harbour", "the ferry leaves at seven")
        sync(self.open())

    def open(self, **collection: Any) -> TreeRunContext:
        return make_run_context(
            self.database, self.home, self.tree, self.embedder, collection=collection
        )

    def promote(self, decision: Decision) -> int:
        settings = self.open(build="manual", **GERMAN).configuration
        return promote_candidate(self.database, settings, "tree", decision).generation

    def failed(self) -> list[str]:
        with self.database.connect() as connection:
            statement = text("select failed_checks from ragline.sources")
            return list(connection.execute(statement).scalar_one())


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return Site(database, tmp_path)


def test_operator_promotes_after_the_check_has_passed_again(site: Site) -> None:
    with site.open(build="manual", **GERMAN) as run_context:
        assert build_generation(run_context, "tree", ADA).state == "candidate"
    record_blocking_checks(site.database, "tree", "documents", {"has_text": False})
    reason = (
        r"blocking checks have failed: source tree \(documents: has_text\); correct .* then run "
        "`ragline sync tree`"
    )
    with pytest.raises(PromotionRefusedError, match=reason):
        site.promote(ADA)
    record_blocking_checks(site.database, "tree", "documents", {"has_text": True})
    assert site.promote(ADA) == 2
    # A rollback is never prevented.
    record_blocking_checks(site.database, "tree", "entries", {"no_stale_entries": False})
    assert roll_back(site.database, "tree", ADA).generation == 1


def test_forced_promotion_needs_no_passed_check(site: Site) -> None:
    with site.open(build="manual", **GERMAN) as run_context:
        build_generation(run_context, "tree", ADA)
    record_blocking_checks(site.database, "tree", "documents", {"has_text": False})
    assert site.promote(FORCED) == 2


def test_sync_does_not_promote_while_a_check_has_failed(site: Site) -> None:
    record_blocking_checks(site.database, "tree", "entries", {"no_stale_entries": False})
    index = sync(site.open(**GERMAN)).index
    assert (index.is_live, index.generation) == (False, 2)
    assert "source tree (entries: no_stale_entries)" in f"{index.reason} {index.notice}"
    record_blocking_checks(site.database, "tree", "entries", {"no_stale_entries": True})
    assert sync(site.open(**GERMAN)).index.is_live


def test_results_of_a_group_replace_its_earlier_results(site: Site) -> None:
    record_blocking_checks(site.database, "tree", "documents", {"one": False, "two": False})
    record_blocking_checks(site.database, "tree", "entries", {"three": False, "four": True})
    assert site.failed() == ["documents: one", "documents: two", "entries: three"]
    record_blocking_checks(site.database, "tree", "documents", {"two": True})
    assert site.failed() == ["entries: three"]
