"""Each setting of a collection and of a source: a wrong value, then the right one again.

The source changes while the wrong value is there: a document is removed, one changed, one added.
Which settings there are is read from the models, so a setting without a case fails.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from lifecycle_doubles import HashEmbedder, HashRunContext, sync
from local_sources import start_world
from pydantic import BaseModel
from repetition_counts import IS_SOAK
from sqlalchemy import text

from ragline.configuration import CollectionSettings, load_configuration
from ragline.errors import ConfigurationError, RaglineError, SourceUnavailableError
from ragline.lifecycle.requested_removals import confirm_removals, remove_source
from ragline.parsing.parser_pool import ParserPool
from ragline.sources.registry import KINDS
from ragline.sources.settings import SourceSettings
from ragline.storage.database import Database

# What a wrong value does to the next sync:
# refused: the file cannot be loaded; nothing is written.
# served: the file can be loaded; what the source has now is served, the removal too.
# forgotten: the same, but what the value decides differs in what is served; no removal survives.
# kept: removals reach the index; what became damaged keeps its last good text.
# reported: as served, and the run ends with an error that names the setting.
# away: the source cannot be read; nothing is removed until it can.
# any: the sync may fail in its own way; what counts is the end.
Effect = Literal["refused", "served", "reported", "kept", "forgotten", "away", "any"]

QUICK_KINDS = ("records", "sql", "push")
TALL = "the tall lighthouse is on the northern cliff"
FIRST = {"gone": "the quagga grazes", "changed": "an early draft", "kept": TALL}
SECOND = {"changed": "a final version", "kept": TALL, "added": "a brand new page"}


@dataclass(frozen=True)
class Wrong:
    """A wrong value of a setting: what it does, and what else has to be said with it."""

    value: Any
    effect: Effect
    others: dict[str, Any] = field(default_factory=dict)


COLLECTION: dict[str, list[Wrong]] = {
    "name": [Wrong("No Name", "refused"), Wrong("other", "served")],
    "tenant": [Wrong("No Tenant", "refused"), Wrong("defautl", "served")],
    "embedding_model": [Wrong("misspelt", "served"), Wrong(["hash"], "refused")],
    "chunking": [Wrong("large", "refused")],
    "chunking.max_tokens": [Wrong(1_000, "served"), Wrong("many", "refused"), Wrong(1, "refused")],
    "chunking.overlap_tokens": [Wrong(150, "refused"), Wrong(-1, "refused")],
    "build": [Wrong("by hand", "refused")],
    "approval": [Wrong("by hand", "refused")],
    "language": [Wrong("englisch", "served"), Wrong("English!", "refused")],
    "reranker": [Wrong("./no-reranker", "served"), Wrong({"name": "x"}, "refused")],
    "golden": [Wrong("./no-golden", "served"), Wrong(7, "refused")],
    "thresholds": [Wrong({"ndgc@10": 0.5}, "refused"), Wrong({"ndcg@10": 2}, "refused")],
    "gate": [Wrong("strict", "refused")],
    "gate.ndcg_margin": [Wrong(-0.1, "refused")],
    "gate.recall_margin": [Wrong("low", "refused")],
    "gate.mrr_margin": [Wrong(2, "refused")],
    "gate.slice_margin": [Wrong(-1, "refused")],
    "gate.min_queries": [Wrong(0, "refused")],
    "gate.detectable_fall": [Wrong("small", "refused")],
    "gate.min_index_recall": [Wrong(1.5, "refused")],
    "gate.max_latency_ratio": [Wrong(0.5, "refused")],
    "gate.max_gone_judgements": [Wrong(-0.5, "refused")],
    "gate.abstention_margin": [Wrong(1.5, "refused")],
    "rollout": [Wrong("slow", "refused")],
    "rollout.shadow_share": [Wrong(1.5, "refused"), Wrong("few", "refused")],
    "rollout.canary_share": [Wrong(-0.1, "refused"), Wrong("all", "refused")],
    "rollout.watch_for": [Wrong("a day", "refused"), Wrong("0s", "refused")],
    "rollout.baseline_days": [Wrong(0, "refused"), Wrong(365, "refused")],
    "rollout.min_searches": [Wrong(1, "refused")],
    "rollout.zero_result_margin": [Wrong(0, "refused")],
    "rollout.low_confidence_margin": [Wrong(0, "refused")],
    "rollout.stale_margin": [Wrong(2, "refused")],
    "rollout.click_margin": [Wrong(-0.1, "refused")],
    "rollout.rollback": [Wrong("at once", "refused")],
    "hnsw_from_entries": [Wrong(-1, "refused"), Wrong("few", "refused")],
    "vector_index": [Wrong("hnsw", "refused")],
    "vector_index.m": [Wrong(1, "refused"), Wrong(40, "refused")],
    "vector_index.ef_construction": [Wrong(20, "refused")],
    "vector_index.ef_search": [Wrong(0, "refused")],
    "vector_index.max_build_workers": [Wrong(-1, "refused")],
    "vector_index.max_build_memory_bytes": [Wrong("1 GB", "refused")],
    "search": [Wrong(0.5, "refused")],
    "search.vector_weight": [Wrong(1.5, "refused")],
    "search.candidates": [Wrong(0, "refused")],
    "search.feedback_weight": [Wrong("some", "refused")],
    "search.keyword_bound": [Wrong(0, "refused")],
    "search.rerank_candidates": [Wrong(1_000, "refused")],
    "search.rerank_weight": [Wrong(-0.5, "refused")],
    "search.min_confidence": [Wrong("sure", "refused")],
    "query_text": [Wrong("hashd", "refused")],
}

SOURCE: dict[str, list[Wrong]] = {
    "name": [Wrong("No Name", "refused"), Wrong("renamed", "any")],
    "collection": [Wrong("No Name", "refused"), Wrong("other", "reported")],
    "kind": [Wrong("recrods", "refused"), Wrong("git", "away")],
    "visible_within": [Wrong("soon", "refused"), Wrong("0s", "refused")],
    "forgotten_within": [Wrong("never", "refused")],
    "max_removal_ratio": [Wrong(1.5, "refused"), Wrong("all", "refused")],
    "max_document_bytes": [Wrong(0, "refused"), Wrong("10 MB", "refused"), Wrong(1, "forgotten")],
    "metadata": [Wrong(["team"], "refused"), Wrong({"team": "a"}, "served")],
    "principals": [Wrong("staff", "refused"), Wrong([""], "refused"), Wrong([], "served")],
    "rules": [Wrong({"match": "*"}, "refused"), Wrong([{"metadata": {}}], "refused")],
    "rules.match": [Wrong("", "refused")],
    "rules.metadata": [Wrong("team", "refused")],
    "rules.principals": [Wrong("staff", "refused")],
    "credentials": [Wrong({"key": "a secret"}, "refused"), Wrong("KEY", "refused")],
}

# What a kind has besides; the others are tried on `records`, which needs no parser.
OF_KIND: dict[str, dict[str, list[Wrong]]] = {
    "files": {
        "uri": [Wrong("./nowhere", "away"), Wrong("", "refused"), Wrong(["a"], "refused")],
        "storage": [Wrong("s3", "refused"), Wrong({"endpoint": "x"}, "served")],
        "include": [Wrong("*.txt", "refused"), Wrong(["kept*", "added*"], "forgotten")],
        "exclude": [Wrong("*.md", "refused"), Wrong(["changed*"], "forgotten")],
        "ignore_files": [Wrong("some", "refused"), Wrong(["kept*", "*.bak"], "any")],
    },
    "git": {
        "uri": [Wrong("./nowhere", "away"), Wrong("", "refused")],
        "branch": [Wrong("mian", "away"), Wrong(["main"], "refused")],
        "include": [Wrong("*.txt", "refused"), Wrong(["kept*", "added*"], "forgotten")],
        "exclude": [Wrong("*.md", "refused"), Wrong(["changed*"], "forgotten")],
        "ignore_files": [Wrong("some", "refused"), Wrong(["kept*", "*.bak"], "any")],
    },
    "records": {
        "uri": [Wrong("./nowhere.jsonl", "away"), Wrong("", "refused")],
        "storage": [Wrong("s3", "refused")],
        "fields": [Wrong("id", "refused")],
        "fields.id": [Wrong("key", "any"), Wrong("", "refused")],
        "fields.title": [Wrong(7, "refused"), Wrong("headline", "served")],
        "fields.text": [Wrong("body", "kept"), Wrong([], "refused")],
        "fields.principals": [Wrong(7, "refused"), Wrong("readers", "any")],
        "fields.changed_at": [Wrong(7, "refused"), Wrong("changed", "served")],
        "format": [Wrong("json5", "refused"), Wrong("parquet", "away")],
    },
    "sql": {
        "url": [Wrong("sqlite:////nowhere/x.db", "away", {"url_variable": None})],
        "url_variable": [Wrong("NO_SUCH_URL", "away"), Wrong("pages url", "refused")],
        "query": [Wrong("selct id from pages", "away"), Wrong(7, "refused")],
        "fields": [Wrong("id", "refused")],
        "fields.id": [Wrong("key", "any"), Wrong("", "refused")],
        "fields.title": [Wrong(7, "refused"), Wrong("headline", "served")],
        "fields.text": [Wrong("content", "any"), Wrong([], "refused")],
        "fields.principals": [Wrong(7, "refused"), Wrong("readers", "any")],
        "fields.changed_at": [Wrong(7, "refused"), Wrong("changed", "any")],
    },
    "web": {
        "start": [Wrong("http://127.0.0.1:9", "refused"), Wrong(["http://127.0.0.1:9"], "away")],
        "sitemaps": [Wrong("http://127.0.0.1:9/s", "refused")],
        "include": [Wrong("docs/", "refused"), Wrong(["kept", "added"], "forgotten")],
        "exclude": [Wrong("docs/", "refused"), Wrong(["changed"], "forgotten")],
        "max_pages": [Wrong(0, "refused"), Wrong(1, "away")],
        "requests_per_second": [Wrong(0, "refused"), Wrong("fast", "refused")],
        "timeout": [Wrong("0s", "refused"), Wrong("long", "refused")],
        "attempts": [Wrong(0, "refused"), Wrong(11, "refused")],
        "user_agent": [Wrong("", "refused"), Wrong(["me"], "refused")],
    },
    "connector": {
        "connector": [Wrong("locl", "away"), Wrong(7, "refused")],
        "connection": [Wrong("none", "refused")],
        "index": [Wrong("here", "refused"), Wrong({"input_path": "/nowhere"}, "away")],
        "download": [Wrong("there", "refused")],
        "use_permissions": [Wrong("perhaps", "refused")],
        "list_every": [Wrong("often", "refused")],
        "ignore_files": [Wrong("some", "refused"), Wrong(["kept*", "*.bak"], "any")],
    },
    "push": {},
}


def list_settings(model: type[BaseModel]) -> set[str]:
    """The settings of a model as the file spells them: `name`, `search.candidates`."""
    names: set[str] = set()
    for name, info in model.model_fields.items():
        names.add(name)
        for nested in _nested_models(info.annotation):
            names |= {f"{name}.{inner}" for inner in nested.model_fields}
    return names


def _nested_models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _nested_models(argument)


def test_each_setting_has_a_case():
    assert set(COLLECTION) == list_settings(CollectionSettings)
    common = list_settings(SourceSettings)
    assert set(SOURCE) == common
    assert set(OF_KIND) == set(KINDS)
    for kind, cases in OF_KIND.items():
        assert set(cases) == list_settings(KINDS[kind].settings) - common, kind


def list_groups() -> list[tuple[str, str, dict[str, list[Wrong]]]]:
    groups = [("collections", "records", COLLECTION), ("sources", "records", SOURCE)]
    return groups + [("sources", kind, wrongs) for kind, wrongs in OF_KIND.items() if wrongs]


def list_loadable() -> list[Any]:
    """The wrong values that a run meets; of kinds that take seconds only one in an ordinary run."""
    cases = []
    for area, kind, wrongs in list_groups():
        of_group = [
            pytest.param(area, kind, setting, wrong, id=f"{area}-{kind}-{setting}-{wrong.value!r}")
            for setting, values in wrongs.items()
            for wrong in values
            if wrong.effect != "refused"
        ]
        cases += of_group if kind in QUICK_KINDS or IS_SOAK else of_group[:1]
    return cases


class Live:
    """A collection that is served, over a source of one kind."""

    def __init__(
        self, folder: Path, database: Database, world: Any, kind: str, parsers: ParserPool
    ) -> None:
        self.folder, self.database, self.world, self.kind = folder, database, world, kind
        self.parsers = parsers
        self.embedder = HashEmbedder()

    def write_settings(self, area: str = "", setting: str = "", wrong: Wrong | None = None) -> None:
        collection: dict[str, Any] = {"name": "c", "embedding_model": "hash", "language": "english"}
        source = {"name": "s", "collection": "c", "kind": self.kind, **self.world.settings}
        stated = {"collections": collection, "sources": source}
        if wrong is not None:
            _set(stated[area], setting, wrong.value)
            for name, value in wrong.others.items():
                _set(stated[area], name, value)
        content = {"collections": [stated["collections"]], "sources": [stated["sources"]]}
        (self.folder / "ragline.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")

    def sync(self) -> None:
        configuration = load_configuration(self.folder / "ragline.yaml")
        run_context = HashRunContext(
            configuration, self.database, "run", shared_parsers=self.parsers
        )
        run_context.models = {"hash": self.embedder}
        sync(run_context)

    def _without_address(self, entry: str) -> str:
        """A row without the parts that differ each time: a server's port, the test's folder."""
        address = getattr(self.world, "address", str(self.folder))
        return entry.replace(address, "").replace(str(self.folder), "")

    def read(self, statement: str) -> list[Any]:
        with self.database.connect() as connection:
            return list(connection.execute(text(statement)).scalars())

    def read_served(self) -> set[str]:
        """The texts that searches see."""
        (live,) = self.read("select live_generation_id from ragline.collections where name = 'c'")
        return set(self.read(f"select text from ragline.entries_{live}"))

    def read_end(self) -> dict[str, Any]:
        """All that must be as if nothing had ever been wrong."""
        (live,) = self.read("select live_generation_id from ragline.collections where name = 'c'")
        entries = (
            "select jsonb_build_array(document_id, ordinal, text, metadata, principals)::text "
            f"from ragline.entries_{live}"
        )
        documents = "select document_id || ' ' || state from ragline.documents"
        # A tombstone says only that there was a document once.
        documents += " where state <> 'removed'"
        return {
            "served": sorted(map(self._without_address, self.read(entries))),
            "documents": sorted(map(self._without_address, self.read(documents))),
            "generations": self.read(
                "select state from ragline.generations where state <> 'dropped'"
            ),
            "errors": self.read("select build_error from ragline.collections where name = 'c'"),
            "tenants": self.read("select tenant from ragline.collections where name = 'c'"),
        }


def _set(settings: dict[str, Any], setting: str, value: Any) -> None:
    if setting.startswith("rules."):
        settings["rules"] = [{"match": "*", setting.removeprefix("rules."): value}]
        return
    name, _, inner = setting.partition(".")
    if inner:
        settings[name] = {**(settings.get(name) or {}), inner: value}
    elif value is None:
        settings.pop(name, None)
    else:
        settings[name] = value


# By kind of source; made by the first case of a kind.
UNDISTURBED: dict[str, dict[str, Any]] = {}


@pytest.fixture
def live_of(
    tmp_path: Path, database: Database, parsers: ParserPool
) -> Iterator[Callable[[str], Live]]:
    """A collection that is served, over a source of a kind."""
    with contextlib.ExitStack() as worlds:

        def make(kind: str) -> Live:
            world = worlds.enter_context(start_world(kind, tmp_path, database))
            live = Live(tmp_path, database, world, kind, parsers)
            live.write_settings()
            world.write(FIRST)
            live.sync()
            assert "the quagga grazes" in live.read_served()
            world.write(SECOND)
            return live

        yield make


@pytest.mark.parametrize(
    ("area", "kind", "wrongs"),
    [pytest.param(*group, id=f"{group[0]}-{group[1]}") for group in list_groups()],
)
def test_malformed_value_writes_and_leaves_nothing(live_of, area, kind, wrongs):
    live = live_of(kind)
    before = live.read_end()
    refused = [(name, wrong) for name in wrongs for wrong in wrongs[name]]
    for setting, wrong in refused:
        if wrong.effect == "refused":
            live.write_settings(area, setting, wrong)
            with pytest.raises(ConfigurationError):
                live.sync()
    assert live.read_end() == before
    check_end(live)


@pytest.mark.parametrize(("area", "kind", "setting", "wrong"), list_loadable())
def test_wrong_value_of_a_setting_leaves_nothing_behind(live_of, area, kind, setting, wrong):
    live = live_of(kind)
    live.write_settings(area, setting, wrong)
    sync_with_wrong_value(live, wrong.effect)
    # A source that was synced under a wrong name stays until it is forgotten by that name.
    for name in live.read("select name from ragline.sources where name <> 's'"):
        remove_source(live.database, name, live.folder)
    check_end(live, wrong_may_hold=wrong.effect == "any")


def check_end(live: Live, *, wrong_may_hold: bool = False) -> None:
    """The right values again: all is as if nothing had ever been wrong."""
    live.write_settings()
    live.sync()
    assert live.read_served() >= set(SECOND.values())
    # Where the wrong value let a whole source vanish, a person has to say what is gone for good.
    if live.read("select id from ragline.documents where held_since is not null"):
        assert wrong_may_hold
        confirm_removals(live.database, "s")
    assert "the quagga grazes" not in live.read_served()
    assert live.read_end() == read_undisturbed(live)


def sync_with_wrong_value(live: Live, effect: Effect) -> None:
    """One sync while the value is wrong, and what searches see after it."""
    if effect == "any":
        with contextlib.suppress(RaglineError):
            live.sync()
        return
    if effect == "away":
        with pytest.raises((SourceUnavailableError, ConfigurationError)):
            live.sync()
        assert live.read_served() >= set(FIRST.values())
        return
    if effect == "reported":
        with pytest.raises(ConfigurationError, match="s is stored in collection c and cannot move"):
            live.sync()
    else:
        live.sync()
    assert "the quagga grazes" not in live.read_served()
    # A document that became damaged keeps its last good text.
    assert effect == "kept" or "an early draft" not in live.read_served()
    if effect in ("served", "reported"):
        assert live.read_served() >= set(SECOND.values())


def read_undisturbed(live: Live) -> dict[str, Any]:
    """How a collection ends whose settings were right all the time."""
    if live.kind not in UNDISTURBED:
        with live.database.begin() as connection:
            # A trigger protects each trail from being emptied.
            connection.execute(text("set local session_replication_role = replica"))
            for table in ("documents", "sources", "placements", "clock_readings"):
                connection.execute(text(f"truncate ragline.{table} cascade"))
            connection.execute(text("update ragline.collections set live_generation_id = null"))
            connection.execute(text("truncate ragline.generations cascade"))
        live.world.write(FIRST)
        live.sync()
        live.world.write(SECOND)
        live.sync()
        UNDISTURBED[live.kind] = live.read_end()
    return UNDISTURBED[live.kind]
