"""The conditions of a promotion: what a candidate still needs before it can be promoted.

The blocking checks of its sources must pass. If the collection has a golden set, the gate must pass
the candidate. With the setting `approval: required`, a person must approve the candidate. The same
conditions apply to a change of search settings. Then the live generation takes the place of the
candidate.

`generation_decisions` checks these conditions before a promotion by an operator, and `search_index`
before a promotion by a sync. They do not apply to a retired generation, because it was live before.
They do not apply to the first generation of a collection, because no other generation can be
compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ragline.configuration import CollectionSettings
from ragline.configuration.released_settings import apply_release
from ragline.counts import count
from ragline.errors import GoldenSetError
from ragline.fingerprints import fingerprint
from ragline.golden_set import read_golden_set
from ragline.lifecycle.blocking_checks import describe_failed_checks
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.releases import find_release
from ragline.storage.statements import load_statement

# Only a report on one of these splits permits a promotion. The other splits are for the choice of
# settings and for reports.
DECIDING_SPLITS = ("test", "gate")
PROMOTE = "ragline generation promote"
# The options that a decision of a person needs. The reader replaces the dots.
BY = "--reason … --by …"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a candidate cannot be promoted now.

    `text` is one line with what helps, and `cause` is the reason without the command, for the
    record of a forced promotion. `command` removes the obstacle; it is None if a person must choose
    between several commands, or change a file. `is_judgement_missing` says that a run of the
    gate can remove the obstacle. `is_approval_missing` says that an approval can remove it.
    """

    text: str
    cause: str | None = None
    command: str | None = None
    is_judgement_missing: bool = False
    is_approval_missing: bool = False


@dataclass(frozen=True, slots=True)
class Basis:
    """What a promotion is based on.

    `report_id` is the report of the gate. It is None if no report exists or if none is needed.
    `is_gated` says that the gate must pass the candidate, because its collection has a golden set.
    A decision can force a promotion in spite of `forceable_obstacle`: the gate, a failed blocking
    check or a difference from the ledger. `settings` are the settings in the configuration file.
    Their search settings are released with the candidate.
    """

    report_id: int | None = None
    forceable_obstacle: Obstacle | None = None
    approval_obstacle: Obstacle | None = None
    is_gated: bool = False
    settings: CollectionSettings | None = None

    @property
    def obstacle(self) -> Obstacle | None:
        """The obstacle to remove first: a missing approval is last, because it needs a report."""
        return self.forceable_obstacle or self.approval_obstacle


def find_basis(
    connection: Connection,
    settings: CollectionSettings | None,
    generation: Generation,
    live: Generation | None,
) -> Basis:
    """Find the report that a promotion is based on, and what prevents the promotion.

    `settings` is None for a collection that is not in the configuration. If `generation` is the
    live generation, the promotion releases new search settings.
    """
    if settings is None or live is None or generation.state == "retired":
        return Basis(settings=settings)
    release = find_release(connection, settings.name)
    released = apply_release(settings, None if release is None else release.settings)
    report = _read_report(connection, generation.id)
    if generation.id == live.id and not _is_about(report, settings, released):
        report = None
    approval = _find_approval_obstacle(settings, generation, live, report)
    force = _name_force(generation, approval)
    obstacle = _find_check_obstacle(connection, settings, generation, force)
    if obstacle is None and settings.golden is not None:
        obstacle = _find_gate_obstacle(settings, released, generation, live, report, force)
    return Basis(
        None if report is None else report["id"],
        obstacle,
        approval,
        settings.golden is not None,
        settings,
    )


def name_basis(connection: Connection, report_id: int | None, *, is_forced: bool = False) -> None:
    """Set the report that a promotion in this transaction is based on, and whether it is forced.

    The database writes both values to the trail (`generation_events`).
    """
    connection.execute(
        load_statement("lifecycle/name_basis"), {"report_id": report_id, "is_forced": is_forced}
    )


def fingerprint_settings(settings: CollectionSettings) -> str:
    """Return a hash of the settings that change the verdict of the gate but not the index.

    The hash of a collection without thresholds is the same as before the gate checked them.
    """
    thresholds = {"thresholds": settings.thresholds} if settings.thresholds else {}
    return fingerprint(
        {
            "gate": settings.gate.model_dump(),
            "search": settings.search.model_dump(),
            "reranker": settings.reranker,
            "ef_search": settings.vector_index.ef_search,
            **thresholds,
        }
    )


def _read_report(connection: Connection, generation_id: int) -> Mapping[str, Any] | None:
    statement = load_statement("lifecycle/select_deciding_report")
    row = connection.execute(statement, {"generation_id": generation_id}).mappings().first()
    return None if row is None else dict(row)


def _name_force(generation: Generation, approval: Obstacle | None) -> str:
    """Return how to promote by force. A missing approval comes first: force does not replace it."""
    force = f"promote it with `{PROMOTE} {generation.id} --force {BY}`"
    if approval is None:
        return force
    if approval.is_approval_missing:
        return f"approve it with `{approval.command}` and then {force}"
    return f"judge it with `{approval.command}`, approve the report, and then {force}"


def _find_check_obstacle(
    connection: Connection, settings: CollectionSettings, generation: Generation, force: str
) -> Obstacle | None:
    failed = describe_failed_checks(connection, settings.name)
    if failed is None:
        return None
    cause, remedy = failed
    name = _name_candidate(settings, generation)
    return Obstacle(f"{name} cannot be promoted: {cause}; {remedy}, or {force}", cause)


def _find_gate_obstacle(
    settings: CollectionSettings,
    released: CollectionSettings,
    generation: Generation,
    live: Generation,
    report: Mapping[str, Any] | None,
    force: str,
) -> Obstacle | None:
    name, judge = _name_candidate(settings, generation), _name_gate(settings, generation)
    try:
        outdated = _find_change(settings, released, live, report)
    except GoldenSetError as error:
        cause = f"its golden set cannot be read: {error}"
        return Obstacle(f"{name} cannot be promoted, because {cause}; correct this file", cause)
    if outdated is not None:
        text = f"{name} has no valid report of the gate: {outdated}; run `{judge}`"
        return Obstacle(text, outdated, judge, is_judgement_missing=True)
    if report is None or report["verdict"] == "passed":
        return None
    reasons = report["reasons"]
    more = f" ({count(len(reasons) - 1, 'more reason')})" if len(reasons) > 1 else ""
    refuse = f"Refuse it with `ragline generation refuse {generation.id} --reason …`"
    if generation.id == live.id:
        refuse = "Restore the settings in the file"
    return Obstacle(
        f"{name} did not pass the gate (report {report['id']}, {report['verdict']}): "
        f"{reasons[0]}{more} {refuse}, judge it again with `{judge}`, or {force}",
        f"report {report['id']} of the gate is {report['verdict']}: {reasons[0]}{more}",
    )


def _name_candidate(settings: CollectionSettings, generation: Generation) -> str:
    if generation.state == "live":
        return f"the change of the search settings of {settings.name}"
    return f"generation {generation.id} of {settings.name}"


def _find_approval_obstacle(
    settings: CollectionSettings,
    generation: Generation,
    live: Generation,
    report: Mapping[str, Any] | None,
) -> Obstacle | None:
    """Return why a required approval is missing. An approval of an older report is void."""
    if settings.approval == "none":
        return None
    name = _name_candidate(settings, generation)
    if report is None or report["live_id"] != live.id:
        judge = _name_gate(settings, generation)
        return Obstacle(
            f"{name} needs an approval, which refers to a report of the gate against the live "
            f"generation {live.id}; run `{judge}`",
            command=judge,
            is_judgement_missing=True,
        )
    if report["is_approved"]:
        return None
    approve = f"ragline generation approve {generation.id} --report {report['id']} {BY}"
    return Obstacle(
        f"{name} waits for an approval of report {report['id']}; read the report, then run "
        f"`{approve}`",
        command=approve,
        is_approval_missing=True,
    )


def _name_gate(settings: CollectionSettings, generation: Generation) -> str:
    return f"ragline gate {settings.name} --candidate {generation.id}"


def _find_change(
    settings: CollectionSettings,
    released: CollectionSettings,
    live: Generation,
    report: Mapping[str, Any] | None,
) -> str | None:
    """Return why a report is not valid for a promotion, or None if it is valid.

    Raises:
        GoldenSetError: the golden set cannot be read.
    """
    if report is None:
        return "the gate has not judged it"
    name = f"report {report['id']}"
    if report["live_id"] != live.id:
        compared = "no generation" if report["live_id"] is None else f"{report['live_id']}"
        return f"{name} compares it with {compared}, and {live.id} is live now"
    if report["split"] not in DECIDING_SPLITS:
        return f"{name} uses the split {report['split']}, which is not for a decision"
    assert settings.golden is not None
    golden = read_golden_set(settings.golden, report["split"])
    if report["golden_set_version"] != golden.content_hash:
        return f"{name} uses another version of the golden set"
    if not _is_about(report, settings, released):
        return (
            f"the settings `gate`, `thresholds`, `search`, `reranker` or `ef_search` have changed "
            f"since {name}, in the file or in the release"
        )
    return None


def _is_about(
    report: Mapping[str, Any] | None, settings: CollectionSettings, released: CollectionSettings
) -> bool:
    """Return whether a report compares `settings` with `released`, the settings of the release."""
    return report is not None and (
        report["settings_fingerprint"],
        report["live_settings_fingerprint"],
    ) == (fingerprint_settings(settings), fingerprint_settings(released))
