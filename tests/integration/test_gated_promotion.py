"""A candidate becomes live only after the gate has passed it, or by force, which stays visible."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from dagster import AssetCheckResult, AssetCheckSeverity, materialize
from planted_candidates import CONFIGURATION, damage, plant_candidate, write_collection
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from assets.candidate import GATE_CHECKS, build_candidate, name_check
from assets.promotion_check import build_force_check
from assets.search_index import check_index
from ragline.commands.generation import generation
from ragline.configuration import Configuration
from ragline.errors import (
    GenerationStateError,
    PromotionRefusedError,
    UnknownCollectionError,
    UnknownGenerationError,
)
from ragline.gate.generation_choice import choose_generations
from ragline.gate.judgement import judge_candidate
from ragline.gate.publication import publish_collection
from ragline.gate.stored_reports import list_reports, read_report, store_report
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.generation_builds import build_generation
from ragline.lifecycle.generation_decisions import (
    Decision,
    Promotion,
    drop_by_decision,
    promote_by_id,
    roll_back,
)
from ragline.lifecycle.generation_notices import read_notices
from ragline.lifecycle.index_report import IndexReport
from ragline.lifecycle.run_context import RunContext
from ragline.status import read_status
from ragline.storage.database import Database
from retrieval_api.page.gate_views import CHECK_NAMES

ADA = Decision("ada", "better hits")
OTHER_CHUNKING = ("overlap_tokens: 5", "overlap_tokens: 6")


@dataclass
class Notes:
    """A synced collection with a golden set."""

    folder: Path
    database: Database
    configuration: Configuration
    configure: Callable[[str], Configuration]
    make_run_context: Callable[..., RunContext]
    run_stages: Callable[[RunContext], dict[str, Any]]

    def use(self, *changes: tuple[str, str]) -> None:
        """Change the configuration."""
        content = CONFIGURATION
        for old, new in changes:
            assert old in content
            content = content.replace(old, new)
        self.configuration = self.configure(content)

    def open(self, run_id: str = "build") -> RunContext:
        return self.make_run_context(self.configuration, run_id)

    def build(self) -> int:
        with self.open() as run_context:
            return build_generation(run_context, "notes", ADA).generation

    def judge(self, candidate: int, **options: Any) -> int:
        with self.open() as run_context:
            report = judge_candidate(
                self.database, self.configuration, "notes", candidate, models=run_context.models,
                **options,
            )  # fmt: skip
        return store_report(self.database, report, "ada")

    def promote(self, candidate: int) -> Promotion:
        return promote_by_id(self.database, self.configuration, candidate, ADA)

    def refusal(self, candidate: int) -> str:
        """Why the candidate is not promoted; the candidate stays as it is."""
        with pytest.raises(PromotionRefusedError) as refused:
            self.promote(candidate)
        assert self.state(candidate) == "candidate"
        return str(refused.value)

    def state(self, generation_id: int) -> str:
        with self.database.connect() as connection:
            statement = text("select state from ragline.generations where id = :id")
            return str(connection.execute(statement, {"id": generation_id}).scalar_one())

    def publish(self, run_id: str) -> IndexReport:
        """The last stage of a sync; the build has written all entries."""
        with self.open(run_id) as run_context:
            return publish_collection(run_context, "notes")

    def command(self, *arguments: str) -> Result:
        options = ["--config", str(self.folder / "ragline.yaml")]
        return CliRunner().invoke(generation, [*arguments, *options])

    def execute(self, statement: str) -> None:
        with self.database.begin() as connection:
            connection.execute(text(statement))


@pytest.fixture
def notes(
    tmp_path: Path,
    database: Database,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], dict[str, Any]],
) -> Notes:
    write_collection(tmp_path)
    made = Notes(
        tmp_path, database, configure(CONFIGURATION), configure, make_run_context, run_stages
    )
    run_stages(made.open("first"))
    return made


def test_promotion_needs_a_passed_gate_and_a_rollback_does_not(notes: Notes) -> None:
    notes.use(OTHER_CHUNKING)
    candidate = notes.build()
    said = notes.refusal(candidate)
    assert "the gate has not judged it" in said
    assert f"run `ragline gate notes --candidate {candidate}`" in said
    assert read_notices(notes.database, notes.configuration)["notes"] == said
    report = notes.judge(candidate)
    promotion = notes.promote(candidate)
    assert (promotion.report_id, promotion.is_forced, promotion.based_on) == (report, False, "gate")
    shown = json.loads(notes.command("show", str(candidate), "--json").stdout)
    event = shown["events"][-1]
    assert (event["to_state"], event["report_id"], event["is_forced"]) == ("live", report, False)
    # A retired generation was live before.
    back = roll_back(notes.database, "notes", ADA)
    assert (back.generation, back.based_on) == (1, "earlier_promotion")
    forth = notes.command("promote", str(candidate))
    assert forth.exit_code == 0, forth.output
    assert "it was live before, so it needed no judgement of the gate" in forth.stdout


def test_refused_candidate_is_promoted_by_force_only(notes: Notes) -> None:
    candidate = plant_candidate(notes.database)
    damage(notes.database, "delete from {entries} where mod(id, 3) = 0", candidate)
    report = notes.judge(candidate)
    said = notes.refusal(candidate)
    assert f"did not pass the gate (report {report}, refused): Generation {candidate} does" in said
    assert f"`ragline generation promote {candidate} --force --reason … --by …`" in said
    unnamed = notes.command("promote", str(candidate), "--force", "--reason", "urgent")
    assert unnamed.exit_code == 2
    assert "--force needs --reason and --by" in unnamed.stderr
    assert notes.state(candidate) == "candidate"
    forced = notes.command("promote", "notes", "--force", "--reason", "urgent", "--by", "ada")
    assert forced.exit_code == 0, forced.output
    assert "the promotion is forced" in forced.stdout
    shown = notes.command("show", str(candidate)).stdout
    assert f"candidate to live, gate report {report}, forced, by ada: urgent" in shown


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("golden set", "uses another version of the golden set"),
        (
            "settings",
            "the settings `gate`, `thresholds`, `search`, `reranker` or `ef_search` have changed",
        ),
        (
            "thresholds",
            "`thresholds`, `search`, `reranker` or `ef_search` have changed since report",
        ),
        ("live generation", "compares it with 1, and 3 is live now"),
        ("split", "uses the split tune, which is not for a decision"),
        ("build", "the gate has not judged it"),
        ("unreadable", "its golden set cannot be read: "),
    ],
)
def test_report_does_not_decide_after_a_change(notes: Notes, change: str, said: str) -> None:
    candidate = plant_candidate(notes.database)
    notes.judge(candidate, split="tune" if change == "split" else "test")
    if change == "golden set":
        with (notes.folder / "golden" / "qrels" / "test.tsv").open("a", encoding="utf-8") as file:
            file.write("\nq0\ttown-1\t0\n")
    elif change == "settings":
        notes.use(("golden: ./golden", "golden: ./golden\n    search: {vector_weight: 0.6}"))
    elif change == "thresholds":
        notes.use(("golden: ./golden", "golden: ./golden\n    thresholds: {mrr@10: 0.1}"))
    elif change == "live generation":
        replace_live(notes)
    elif change == "build":
        # A generation that is built again has the same id and can have other entries.
        for state in ("abandoned", "building", "candidate"):
            notes.execute(f"update ragline.generations set state = '{state}' where id = 2")
    elif change == "unreadable":
        (notes.folder / "golden" / "queries.jsonl").unlink()
    assert said in notes.refusal(candidate)


def replace_live(notes: Notes) -> None:
    """Make a third generation live."""
    notes.execute(
        "insert into ragline.generations (collection_id, embedding_space_id, "
        "chunker_fingerprint, chunking, language, analysis_version, state) select collection_id, "
        "embedding_space_id, 'third', chunking, language, analysis_version, 'building' "
        "from ragline.generations where id = 1"
    )
    notes.execute("update ragline.generations set state = 'retired' where id = 1")
    notes.execute("update ragline.generations set state = 'live' where id = 3")
    notes.execute("update ragline.collections set live_generation_id = 3")


def test_promotion_waits_for_an_approval_of_the_last_report(notes: Notes) -> None:
    notes.use(("golden: ./golden", "golden: ./golden\n    approval: required"))
    candidate = plant_candidate(notes.database)
    by = ("--reason", "read it", "--by", "ada")
    early = notes.command("approve", str(candidate), *by)
    assert isinstance(early.exception, GenerationStateError)
    assert f"run `ragline gate notes --candidate {candidate}`" in str(early.exception)
    first = notes.judge(candidate)
    assert f"waits for an approval of report {first}" in notes.refusal(candidate)
    # Force is about the verdict of the gate, and not about the person.
    with pytest.raises(PromotionRefusedError, match="waits for an approval"):
        promote_by_id(
            notes.database, notes.configuration, candidate, Decision("ada", "urgent", True)
        )
    assert notes.command("approve", str(candidate), *by).exit_code == 0
    # A newer report makes the approval void.
    second = notes.judge(candidate)
    assert f"waits for an approval of report {second}" in notes.refusal(candidate)
    outdated = notes.command("approve", str(candidate), "--report", str(first), *by)
    assert f"report {first} is not the last report" in str(outdated.exception)
    assert notes.command("approve", str(candidate), "--report", str(second), *by).exit_code == 0
    assert notes.promote(candidate).report_id == second
    shown = json.loads(notes.command("show", str(candidate), "--json").stdout)["approvals"]
    assert [(one["report_id"], one["approved_by"], one["reason"]) for one in shown] == [
        (first, "ada", "read it"), (second, "ada", "read it"),
    ]  # fmt: skip
    with pytest.raises(DBAPIError, match="append-only"):
        notes.execute("delete from ragline.generation_approvals")


CHANGED_SEARCH = ("golden: ./golden", "golden: ./golden\n    search: {vector_weight: 0.6}")


def test_changed_search_settings_need_a_passed_gate_about_these_settings(notes: Notes) -> None:
    notes.use(CHANGED_SEARCH)
    notice = read_notices(notes.database, notes.configuration)["notes"]
    assert (
        "searches do not use the changed settings of the file yet (search.vector_weight)" in notice
    )
    assert "the gate has not judged it; run `ragline gate notes --candidate 1`" in notice
    refused = notes.command("promote", "notes")
    assert isinstance(refused.exception, PromotionRefusedError)
    with notes.open() as run_context:
        judged = judge_candidate(
            notes.database, notes.configuration, "notes", models=run_context.models
        )
    assert judged.live is not None
    assert (judged.live.id, judged.candidate.id, judged.verdict) == (1, 1, "passed")
    assert judged.changed_settings == ("search.vector_weight",)
    assert judged.settings_fingerprint != judged.live_settings_fingerprint
    report = store_report(notes.database, judged, "ada")
    # The report is about these settings only.
    notes.use((CHANGED_SEARCH[0], CHANGED_SEARCH[1].replace("0.6", "0.2")))
    with pytest.raises(PromotionRefusedError, match="the gate has not judged it"):
        notes.promote(1)
    notes.use(CHANGED_SEARCH)
    promoted = notes.command("promote", "notes", "--by", "ada")
    assert promoted.exit_code == 0, promoted.output
    assert "generation 1 is live with changed search settings: search.vector_weight" in (
        promoted.output
    )
    assert f"the gate passed it in report {report}" in promoted.output
    assert read_notices(notes.database, notes.configuration) == {}
    # A candidate that was judged against other settings of the live generation is judged again.
    candidate = plant_candidate(notes.database)
    notes.judge(candidate)
    roll_back(notes.database, "notes", ADA)
    assert "in the file or in the release" in notes.refusal(candidate)


def test_sync_judges_changed_search_settings_and_releases_or_keeps_them(notes: Notes) -> None:
    automatic = ("golden: ./golden", "golden: ./golden\n    build: automatic")
    notes.use((automatic[0], f"{automatic[1]}\n    search: {{vector_weight: 0.6}}"))
    index = notes.publish("second")
    assert (index.is_live, index.reason, index.notice) == (True, None, None)
    assert [one.live_id for one in list_reports(notes.database)] == [1]
    # The gate cannot decide with so few queries.
    notes.use(
        (
            automatic[0],
            f"{automatic[1]}\n    gate: {{min_queries: 1000}}\n    search: {{vector_weight: 0.2}}",
        )
    )
    index = notes.publish("third")
    assert index.is_live
    assert "did not pass the gate" in str(index.notice)
    assert "Restore the settings in the file" in str(index.notice)
    assert len(list_reports(notes.database)) == 2
    assert notes.publish("fourth").notice == index.notice
    assert len(list_reports(notes.database)) == 2


def read_alarms(notes: Notes) -> list[tuple[str, str, str]]:
    status = read_status(notes.database)
    return [
        (alarm.name, alarm.severity, alarm.text)
        for collection in status.collections
        for alarm in collection.alarm_details
    ]


def test_forced_promotion_is_an_alarm_until_it_is_made_good(notes: Notes) -> None:
    candidate = plant_candidate(notes.database)
    assert read_alarms(notes) == []
    forced = Decision("ada", "urgent", is_forced=True)
    promotion = promote_by_id(notes.database, notes.configuration, candidate, forced)
    assert (promotion.is_forced, promotion.report_id) == (True, None)
    ((name, severity, said),) = read_alarms(notes)
    assert (name, severity) == ("promotion_forced", "warning")
    assert f"ada promoted generation {candidate} of collection notes" in said
    assert "(urgent), in spite of this: the gate has not judged it; judge it with" in said
    (state,) = read_status(notes.database).collections
    assert state.forced_promotion is not None
    assert state.forced_promotion.forced_by == "ada"
    # Another live generation ends it, and the return to the forced one begins it again.
    undone = json.loads(notes.command("rollback", "notes", "--json").stdout)["undone_force"]
    assert undone == f"the promotion of generation {candidate}, which ada forced (urgent)"
    assert read_alarms(notes) == []
    notes.promote(candidate)
    assert [one[0] for one in read_alarms(notes)] == ["promotion_forced"]
    # The live generation is judged against the retired one.
    notes.judge(candidate)
    (report,) = list_reports(notes.database, generation_id=candidate)
    assert (report.live_id, report.verdict) == (1, "passed")
    assert read_alarms(notes) == []


def test_forced_generation_is_judged_against_the_one_that_it_replaced(notes: Notes) -> None:
    forced, other = plant_candidate(notes.database), plant_candidate(notes.database)
    force = Decision("ada", "urgent", is_forced=True)
    promote_by_id(notes.database, notes.configuration, forced, force)

    def reference(candidate: int) -> int:
        live, _ = choose_generations(notes.database, "notes", candidate)
        assert live is not None
        return live.id

    assert reference(forced) == 1
    # After other promotions and rollbacks, the reference is the same.
    promote_by_id(notes.database, notes.configuration, other, force)
    assert reference(other) == forced
    notes.promote(forced)
    assert reference(forced) == 1
    roll_back(notes.database, "notes", ADA)
    notes.promote(forced)
    assert reference(forced) == 1
    # A generation that was not forced is compared with the one that its last promotion replaced.
    notes.promote(1)
    assert reference(1) == forced


def test_live_generation_without_its_reference_is_not_judged(notes: Notes) -> None:
    with pytest.raises(UnknownGenerationError, match="is live, and it replaced no generation"):
        notes.judge(1)
    forced, other = plant_candidate(notes.database), plant_candidate(notes.database)
    force = Decision("ada", "urgent", is_forced=True)
    promote_by_id(notes.database, notes.configuration, other, force)
    promote_by_id(notes.database, notes.configuration, forced, force)
    drop_by_decision(notes.database, notes.configuration, other, ADA)
    with pytest.raises(UnknownGenerationError, match=f"generation {other}, which it replaced, is"):
        notes.judge(forced)


def test_forced_search_settings_are_an_alarm_until_a_gate_passes_them(notes: Notes) -> None:
    too_few = "golden: ./golden\n    gate: {min_queries: 1000}\n    search: {vector_weight: 0.6}"
    notes.use(("golden: ./golden", too_few))
    report = notes.judge(1)
    forced = Decision("ada", "urgent", is_forced=True)
    promotion = promote_by_id(notes.database, notes.configuration, 1, forced)
    assert (promotion.is_forced, promotion.report_id) == (True, report)
    ((name, severity, said),) = read_alarms(notes)
    assert (name, severity) == ("promotion_forced", "warning")
    assert said.startswith(
        "ada released search settings (search.vector_weight) of collection notes by force "
        f"(urgent), in spite of this: report {report} of the gate is undecidable: "
    )
    assert "`ragline gate notes --candidate 1`" in said
    assert "the alarm ends when a gate passes them" in said
    (state,) = read_status(notes.database).collections
    assert state.forced_promotion is not None
    assert state.forced_promotion.settings == ("search.vector_weight",)
    # A rollback ends it, and the return to the settings begins it again.
    undone, name = notes.command("rollback", "notes", "--by", "ada"), "search.vector_weight"
    assert undone.stdout.splitlines() == [
        f"notes: generation 1 is live with changed search settings: {name} is now 0.5",
        f"the rollback has undone the search settings ({name}) that ada forced (urgent)",
        "searches used these settings before, so they needed no judgement of the gate",
    ]
    assert read_alarms(notes) == []
    promote_by_id(notes.database, notes.configuration, 1, forced)
    # A gate that passes other settings does not end it.
    notes.use((CHANGED_SEARCH[0], CHANGED_SEARCH[1].replace("0.6", "0.4")))
    assert read_report(notes.database, notes.judge(1)).verdict == "passed"
    assert [one[0] for one in read_alarms(notes)] == ["promotion_forced"]
    # The forced settings are judged against those of the release before.
    notes.use(CHANGED_SEARCH)
    passed = read_report(notes.database, notes.judge(1))
    assert passed.verdict == "passed"
    assert passed.report.live is not None
    assert (passed.report.live.id, passed.report.changed_settings) == (1, ("search.vector_weight",))
    assert read_alarms(notes) == []
    # Searches did not change.
    listed = json.loads(notes.command("releases", "notes", "--json").stdout)["releases"]
    assert [(one["changes"], one["is_forced"], one["is_now"]) for one in listed] == [
        ({}, False, False),
        ({"search.vector_weight": 0.6}, True, False),
        ({"search.vector_weight": 0.5}, False, False),
        ({"search.vector_weight": 0.6}, True, True),
    ]
    assert [one["settings"]["search"]["vector_weight"] for one in listed] == [0.5, 0.6, 0.5, 0.6]
    lines = notes.command("releases", "notes").stdout.splitlines()
    assert (
        "tokens, overlap 5, english), no changed setting, by run first: it is complete" in lines[0]
    )
    assert (
        f"search.vector_weight is now 0.6, gate report {report}, by ada: urgent; forced"
        in (lines[1])
    )
    assert "(searches use it)" in lines[3]
    unknown = notes.command("releases", "nowhere")
    assert isinstance(unknown.exception, UnknownCollectionError)


def test_check_warns_of_a_forced_promotion_until_a_gate_passes_it(notes: Notes) -> None:
    (settings,) = notes.configuration.collections
    check = build_force_check(settings)

    def evaluate() -> AssetCheckResult:
        with notes.open() as run_context:
            result = check(run_context=run_context)
        assert isinstance(result, AssetCheckResult)
        return result

    assert evaluate().passed
    candidate = plant_candidate(notes.database)
    forced = Decision("ada", "urgent", is_forced=True)
    promote_by_id(notes.database, notes.configuration, candidate, forced)
    failed = evaluate()
    assert (failed.passed, failed.severity) == (False, AssetCheckSeverity.WARN)
    said = failed.metadata["promotion_forced"].value
    assert f"ada promoted generation {candidate}" in str(said)
    notes.judge(candidate)
    assert evaluate().passed


def test_collection_without_a_golden_set_needs_only_the_sync_proof(notes: Notes) -> None:
    notes.use(("    golden: ./golden\n", ""))
    candidate = plant_candidate(notes.database)
    damage(notes.database, "update {entries} set content_hash = repeat('0', 64) where id <= 3",
           candidate)  # fmt: skip
    assert f"generation {candidate} of notes does not agree with the ledger: stale entries" in (
        notes.refusal(candidate)
    )
    damage(notes.database, "update {entries} as e set content_hash = l.content_hash from "
           "ragline.entries_1 as l where l.id = e.id", candidate)  # fmt: skip
    promoted = notes.command("promote", str(candidate))
    assert promoted.exit_code == 0, promoted.output
    assert "so the promotion needed only a complete generation" in promoted.stdout


def test_person_makes_a_forced_promotion_good_without_a_golden_set(notes: Notes) -> None:
    notes.use(("    golden: ./golden\n", ""))
    candidate = plant_candidate(notes.database)
    spoil = "update {entries} set content_hash = repeat('0', 64) where id <= 3"
    damage(notes.database, spoil, candidate)
    forced = Decision("ada", "urgent", is_forced=True)
    promote_by_id(notes.database, notes.configuration, candidate, forced)
    assert [one[0] for one in read_alarms(notes)] == ["promotion_forced"]
    # The gate still refuses the generation, so a person cannot approve it.
    notes.judge(candidate)
    by = ("approve", str(candidate), "--reason", "read it", "--by", "grace")
    early = notes.command(*by)
    assert isinstance(early.exception, GenerationStateError)
    assert "after a gate that does not refuse it" in str(early.exception)
    assert f"run `ragline gate notes --candidate {candidate}`" in str(early.exception)
    damage(notes.database, "update {entries} as e set content_hash = l.content_hash from "
           "ragline.entries_1 as l where l.id = e.id", candidate)  # fmt: skip
    # With a golden set, only the gate ends the alarm.
    notes.use(("golden: ./golden\n", "golden: ./golden\n    gate: {min_queries: 1000}\n"))
    notes.judge(candidate)
    assert isinstance(notes.command(*by).exception, GenerationStateError)
    notes.use(("    golden: ./golden\n", ""))
    report = notes.judge(candidate)
    assert [one[0] for one in read_alarms(notes)] == ["promotion_forced"]
    approved = notes.command(*by, "--report", str(report))
    assert approved.exit_code == 0, approved.output
    assert read_alarms(notes) == []


def test_sync_judges_its_candidate_before_it_promotes_it(notes: Notes) -> None:
    automatic = ("golden: ./golden", "golden: ./golden\n    build: automatic")
    strict = ("golden: ./golden\n", "golden: ./golden\n    gate: {min_queries: 1000}\n")
    notes.use(OTHER_CHUNKING, strict, automatic)
    candidate = notes.build()
    held = notes.publish("strict")
    assert (held.generation, held.is_live, held.notice) == (candidate, False, None)
    assert held.reason is not None
    assert "did not pass the gate" in held.reason
    assert "the gate needs at least 1,000" in held.reason
    assert not check_index(held).passed
    ((name, severity, said),) = read_alarms(notes)
    assert (name, severity) == ("candidate_not_passed", "warning")
    assert f"ragline generation refuse {candidate}" in said
    (report,) = list_reports(notes.database, generation_id=candidate)
    assert (report.verdict, report.asked_by) == ("undecidable", "run strict")
    # It is not judged again, and not built again, while nothing changes.
    assert notes.publish("again").reason == held.reason
    assert len(list_reports(notes.database, generation_id=candidate)) == 1
    assert notes.state(candidate) == "candidate"
    # Other settings of the gate are a reason to judge it again.
    notes.use(OTHER_CHUNKING, automatic)
    promoted = notes.publish("lenient")
    assert (promoted.is_live, promoted.was_promoted, promoted.reason) == (True, True, None)
    assert notes.state(candidate) == "live"
    assert len(list_reports(notes.database, generation_id=candidate)) == 2
    assert read_alarms(notes) == []


def test_gate_that_cannot_run_in_a_sync_is_an_error_of_the_sync(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes.use(OTHER_CHUNKING, ("golden: ./golden", "golden: ./golden\n    build: automatic"))
    candidate = notes.build()

    def fail(*_: object, **__: object) -> None:
        raise PromotionRefusedError("planted")

    monkeypatch.setattr("ragline.gate.publication.judge_candidate", fail)
    report = notes.publish("failing")
    assert isinstance(report.error, PromotionRefusedError)
    assert report.reason == "PromotionRefusedError: planted"
    assert notes.state(candidate) == "candidate"


def test_change_in_flight_is_not_a_lost_document(notes: Notes) -> None:
    notes.use(OTHER_CHUNKING)
    candidate = notes.build()
    path = notes.folder / "town.jsonl"
    lines = path.read_text("utf-8").splitlines()
    changed = json.loads(lines[0])
    lines[0] = json.dumps({**changed, "text": f"{changed['text']} One more sentence."})
    path.write_text("\n".join(lines), encoding="utf-8")
    with notes.open("change") as run_context:
        sync_documents(run_context, "town")
        build_chunks(run_context, "town")
    # The sync has read the document, and no generation contains its new text yet.
    check = sync_proof(notes, candidate)
    assert check["outcome"] == "passed", check
    assert "A sync is indexing the changes of 1 document." in check["reason"]
    # The live generation contains the document, and the candidate lacks it. While the sync is not
    # complete, this is a change in flight.
    notes.run_stages(notes.open("complete"))
    notes.execute(
        "delete from ragline.placements as p using ragline.documents as d where d.id = "
        f"p.document_key and d.document_id = '{changed['_id']}' and p.generation_id = {candidate}"
    )
    notes.execute("update ragline.source_syncs set finished_at = null where run_id = 'complete'")
    assert sync_proof(notes, candidate)["outcome"] == "passed"
    notes.execute("update ragline.source_syncs set finished_at = now() where run_id = 'complete'")
    lost = sync_proof(notes, candidate)
    assert lost["outcome"] == "refused"
    assert "it lacks 1 readable document of the source town" in lost["reason"]


def sync_proof(notes: Notes, candidate: int) -> dict[str, str]:
    with notes.open() as run_context:
        report = judge_candidate(
            notes.database, notes.configuration, "notes", candidate, models=run_context.models
        )
    (found,) = [one for one in report.checks if one.name == "sync_proof"]
    return {"outcome": found.outcome, "reason": found.reason}


def test_asset_of_the_candidate_builds_and_judges_it(notes: Notes) -> None:
    notes.use(OTHER_CHUNKING)
    settings = notes.configuration.collection("notes")
    asset = build_candidate(settings, notes.configuration.sources_of("notes"))
    with notes.open("asset") as run_context:
        result = materialize([asset], resources={"run_context": run_context})
    assert result.success
    (made,) = result.asset_materializations_for_node("notes_candidate")
    assert made.metadata["verdict"].value == "passed"
    assert str(made.metadata["report"].value).startswith("# Gate of notes: passed")
    checks = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert set(checks) == {name_check(name) for name in GATE_CHECKS}
    assert set(CHECK_NAMES) == set(GATE_CHECKS), "the page names each check"
    assert all(one.passed for one in checks.values())
    assert "nDCG@10" in str(checks["ndcg_at_10"].metadata["reason"].value)
    # The report of the asset decides about the promotion.
    assert notes.promote(2).report_id == made.metadata["gate_report"].value
