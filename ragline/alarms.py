"""Alarms: what somebody has to look at, and which one of several symptoms is named.

An alarm names collection, source, documents, cause and remedy, and the page of docs/runbooks that
says more. One trouble raises one alarm: where a cause explains other symptoms (a source that
cannot be reached also makes its clocks late), the cause alone is named. The facts are read from
the database by `status`; nothing here keeps state, so an alarm ends when its facts do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from ragline.durations import format_duration
from ragline.errors import ConfigurationError

Severity = Literal["error", "warning"]
NAMED_DOCUMENTS = 5
LONGEST_CAUSE_CHARS = 600
# A clock that is over by more than this many times its limit is an error, before that a warning.
ERROR_FACTOR = 2.0
# One failed run is retried within seconds; so many in a row need a person.
ALARMING_FAILURES = 3
# A source that nobody lists or probes for so long, and for twice its clock, is not watched.
UNWATCHED = timedelta(hours=1)


class AlarmKind(NamedTuple):
    """What an alarm of one name stands for: its runbook page and a line for the documentation."""

    runbook: str
    when: str


KINDS = {
    "source_unreachable": AlarmKind("source-unreachable", "a source cannot be listed or probed"),
    "source_not_configured": AlarmKind(
        "source-not-configured", "a source is served and the configuration no longer names it"
    ),
    "source_never_synced": AlarmKind(
        "source-never-synced", "a configured source was never listed to its end"
    ),
    "source_not_watched": AlarmKind(
        "change-late", "nobody listed or probed a source for twice its clock and an hour"
    ),
    "sync_failed": AlarmKind(
        "sync-failed",
        "a source's sync failed 3 times in a row, or once while a clock is late or by its settings",
    ),
    "change_late": AlarmKind("change-late", "a change waits longer than `visible_within`"),
    "removal_late": AlarmKind("removal-late", "a removal waits longer than `forgotten_within`"),
    "removals_held": AlarmKind("removals-held", "a listing lacked too many documents at once"),
    "documents_failed": AlarmKind(
        "documents-failed", "changed documents cannot be read for longer than `visible_within`"
    ),
    "proof_differs": AlarmKind(
        "proof-differs", "a sync proof found a difference that no change of the source explains"
    ),
    "settings_refused": AlarmKind(
        "settings-refused", "a collection's settings cannot be satisfied; the live index is served"
    ),
    "generation_build_failed": AlarmKind(
        "build-failed", "the generation that the settings ask for cannot be built"
    ),
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that somebody has to look at. `text` says it in one sentence.

    `source` is None where a whole collection is concerned. `documents` are the first few by id.
    `since` is when the trouble began, as far as it is known.
    """

    name: str
    severity: Severity
    collection: str
    source: str | None
    documents: list[str]
    cause: str
    remedy: str
    since: datetime | None
    runbook: str
    text: str

    @property
    def key(self) -> str:
        """The same for as long as the trouble lasts, whatever its words."""
        return f"{self.name}:{self.collection}:{self.source or ''}"


def raise_alarm(
    name: str,
    *,
    collection: str,
    source: str | None = None,
    documents: Sequence[str] = (),
    cause: str,
    remedy: str,
    since: datetime | None = None,
    severity: Severity = "error",
) -> Alarm:
    """An alarm of a known kind. `cause` is a clause about its subject, `remedy` an instruction."""
    cause = cause if len(cause) <= LONGEST_CAUSE_CHARS else f"{cause[:LONGEST_CAUSE_CHARS]}…"
    return Alarm(
        name=name,
        severity=severity,
        collection=collection,
        source=source,
        documents=list(dict.fromkeys(documents))[:NAMED_DOCUMENTS],
        cause=cause,
        remedy=remedy,
        since=since,
        runbook=f"docs/runbooks/{KINDS[name].runbook}.md",
        text=f"{cause}; {remedy}",
    )


@dataclass(frozen=True, slots=True)
class LateDocument:
    """A document that waits for longer than its clock allows, and the error of its last attempt."""

    document_id: str
    state: str
    waiting_since: datetime
    error: str | None
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What is known of a source when its alarms are judged. The late documents are the first few.

    `failures` counts the syncs that failed since the last one that did not.
    """

    source: str
    collection: str
    visible_within: timedelta
    forgotten_within: timedelta
    known_since: datetime
    listed_at: datetime | None = None
    proven_at: datetime | None = None
    is_configured: bool = True
    is_syncing: bool = False
    unreachable_since: datetime | None = None
    unreachable_error: str | None = None
    failures: int = 0
    failing_since: datetime | None = None
    last_error: str | None = None
    late: list[LateDocument] = field(default_factory=list)
    held_count: int = 0
    held_since: datetime | None = None
    held_documents: list[str] = field(default_factory=list)
    difference_count: int = 0
    differences: list[tuple[str, str]] = field(default_factory=list)
    differs_since: datetime | None = None

    def list_late(self, *states: str) -> list[LateDocument]:
        return [document for document in self.late if document.state in states]


def judge_source(facts: SourceFacts, now: datetime) -> list[Alarm]:
    """The alarms of one source, one for each trouble; none in ordinary operation."""
    if not facts.is_configured:
        return [_judge_unconfigured(facts)]
    held = _judge_held(facts)
    cause = _judge_unreachable(facts) or _judge_failing(facts)
    if cause is not None:
        # Neither clocks nor differences can change before this is over.
        return [alarm for alarm in (cause, held) if alarm is not None]
    symptoms = (
        held,
        _judge_failed_documents(facts, now),
        _judge_late_removals(facts, now) or _judge_late_changes(facts, now),
        _judge_differences(facts),
    )
    alarms = [alarm for alarm in symptoms if alarm is not None]
    unwatched = _judge_unwatched(facts, now)
    return alarms or ([unwatched] if unwatched is not None else [])


def judge_collection(
    collection: str, *, build_error: str | None, is_refused: bool, since: datetime | None
) -> list[Alarm]:
    """The alarms of a collection as a whole: what its settings ask for cannot be built."""
    if build_error is None:
        return []
    if is_refused:
        alarm = raise_alarm(
            "settings_refused",
            collection=collection,
            cause=f"the settings of collection {collection} cannot be satisfied: {build_error}",
            remedy=(
                "correct ragline.yaml (ragline check finds all faults); the index that is live is "
                "served and kept up to date meanwhile"
            ),
            since=since,
        )
    else:
        alarm = raise_alarm(
            "generation_build_failed",
            collection=collection,
            cause=(
                f"the index that the settings of collection {collection} ask for cannot be built: "
                f"{build_error}"
            ),
            remedy=(
                "fix what the message names (docs/errors.md); the next sync tries again, and the "
                "index that is live is served and kept up to date meanwhile"
            ),
            since=since,
        )
    return [alarm]


def _judge_unconfigured(facts: SourceFacts) -> Alarm:
    return raise_alarm(
        "source_not_configured",
        severity="warning",
        collection=facts.collection,
        source=facts.source,
        cause=(
            f"source {facts.source} is not configured any more, and what it had is served still"
        ),
        remedy=f"to forget it: ragline remove {facts.source}; to keep it, name it under sources",
    )


def _judge_unreachable(facts: SourceFacts) -> Alarm | None:
    since = facts.unreachable_since
    if since is None:
        return None
    return raise_alarm(
        "source_unreachable",
        collection=facts.collection,
        source=facts.source,
        cause=(
            f"source {facts.source} cannot be reached since {_say_moment(since)}: "
            f"{_unname(facts.unreachable_error or '', facts.source)}"
        ),
        remedy=(
            "restore access as the message says; what the source had is served meanwhile, and "
            "the next look at it syncs it"
        ),
        since=since,
    )


def _judge_failing(facts: SourceFacts) -> Alarm | None:
    """The syncs fail; with something late already, one that failed for a known reason counts."""
    waiting = facts.list_late("pending", "missing")
    is_cause = bool(facts.failures and waiting and facts.last_error)
    # Trying again changes no configuration.
    is_lasting = (facts.last_error or "").startswith(ConfigurationError.__name__)
    if facts.failures < ALARMING_FAILURES and not (is_cause or (facts.failures and is_lasting)):
        return None
    times = "once" if facts.failures == 1 else f"{facts.failures} times in a row"
    named = [document.document_id for document in waiting]
    late = f" while {_name(named, len(named))} waits" if waiting else ""
    reason = _unname(facts.last_error or "the run ended before its last stage", facts.source)
    return raise_alarm(
        "sync_failed",
        collection=facts.collection,
        source=facts.source,
        documents=named,
        cause=f"the sync of source {facts.source} failed {times}{late}: {reason}",
        remedy=(
            "fix what the message names (docs/errors.md); the source's sensor tries again within "
            f"10 minutes, ragline sync {facts.source} at once"
        ),
        since=facts.failing_since,
    )


def _judge_held(facts: SourceFacts) -> Alarm | None:
    if not facts.held_count:
        return None
    return raise_alarm(
        "removals_held",
        collection=facts.collection,
        source=facts.source,
        documents=facts.held_documents,
        cause=(
            f"{facts.held_count} removals are held: a listing of source {facts.source} lacked "
            f"too many documents at once ({_name(facts.held_documents, facts.held_count)})"
        ),
        remedy=(
            "restore them if they are lost by mistake; if the source really lost them: "
            f"ragline confirm-removals {facts.source}"
        ),
        since=facts.held_since,
    )


def _judge_failed_documents(facts: SourceFacts, now: datetime) -> Alarm | None:
    late = facts.list_late("failed")
    if not late:
        return None
    first = late[0]
    again = "the next sync" if first.next_attempt_at is None else _say_moment(first.next_attempt_at)
    others = f" (and {len(late) - 1} more)" if len(late) > 1 else ""
    return raise_alarm(
        "documents_failed",
        severity=_grade(first, facts.visible_within, now),
        collection=facts.collection,
        source=facts.source,
        documents=[document.document_id for document in late],
        cause=(
            f"the change of {first.document_id}{others} in source {facts.source} is not visible "
            f"after more than {_say_limit(facts.visible_within)}, because the document cannot be "
            f"read: {first.error}"
        ),
        remedy=(
            f"fix the document, or wait for its next attempt at {again}; to try at once: "
            f"ragline retry {facts.source}"
        ),
        since=first.waiting_since,
    )


def _judge_late_changes(facts: SourceFacts, now: datetime) -> Alarm | None:
    return _judge_late(
        facts, "change_late", "a change", "visible", "pending", facts.visible_within, now
    )


def _judge_late_removals(facts: SourceFacts, now: datetime) -> Alarm | None:
    return _judge_late(
        facts, "removal_late", "a removal", "forgotten", "missing", facts.forgotten_within, now
    )


def _judge_late(
    facts: SourceFacts,
    name: str,
    what: str,
    aim: str,
    state: str,
    limit: timedelta,
    now: datetime,
) -> Alarm | None:
    explained = {document_id for document_id, _ in facts.differences}
    late = [one for one in facts.list_late(state) if one.document_id not in explained]
    if not late:
        return None
    named = [document.document_id for document in late]
    remedy = (
        f"its sync is running; to make it faster: ragline work {facts.source} beside it"
        if facts.is_syncing
        else (
            f"no sync is running: start ragline dev or the Dagster daemon, or run "
            f"ragline sync {facts.source}"
        )
    )
    return raise_alarm(
        name,
        severity=_grade(late[0], limit, now),
        collection=facts.collection,
        source=facts.source,
        documents=named,
        cause=(
            f"{what} in source {facts.source} ({_name(named, len(named))}) has waited to be {aim} "
            f"for longer than the allowed {_say_limit(limit)}"
        ),
        remedy=remedy,
        since=late[0].waiting_since,
    )


def _judge_differences(facts: SourceFacts) -> Alarm | None:
    if not facts.difference_count:
        return None
    named = [f"{document_id}: {what}" for document_id, what in facts.differences]
    return raise_alarm(
        "proof_differs",
        collection=facts.collection,
        source=facts.source,
        documents=[document_id for document_id, _ in facts.differences],
        cause=(
            f"{facts.difference_count} differences between source, ledger and index of source "
            f"{facts.source} ({_name(named, facts.difference_count)})"
        ),
        remedy=(
            f"the next sync repairs them; if they stay: ragline sync {facts.source}, then "
            f"ragline prove {facts.source}"
        ),
        since=facts.differs_since,
    )


def _judge_unwatched(facts: SourceFacts, now: datetime) -> Alarm | None:
    """A source that nobody looks at: never listed, or not for long."""
    limit = min(facts.visible_within, facts.forgotten_within)
    seen_at = facts.proven_at or facts.known_since
    if facts.is_syncing or now - seen_at <= max(ERROR_FACTOR * limit, UNWATCHED):
        return None
    is_known = facts.listed_at is not None
    return raise_alarm(
        "source_not_watched" if is_known else "source_never_synced",
        severity="warning",
        collection=facts.collection,
        source=facts.source,
        cause=(
            f"source {facts.source} was neither listed nor probed since {_say_moment(seen_at)}, "
            f"longer than twice the allowed {_say_limit(limit)}"
            if is_known
            else f"source {facts.source} was never listed to its end"
        ),
        remedy=(
            f"start ragline dev or the Dagster daemon with the sensor of the source on, or run "
            f"ragline sync {facts.source}"
        ),
        since=seen_at,
    )


def _grade(first: LateDocument, limit: timedelta, now: datetime) -> Severity:
    return "error" if now - first.waiting_since > ERROR_FACTOR * limit else "warning"


def _name(named: Sequence[str], count: int) -> str:
    """The first few names, and whether there are more."""
    shown = ", ".join(named[:NAMED_DOCUMENTS])
    return f"{shown}, …" if count > NAMED_DOCUMENTS else shown


def _unname(error: str, source: str) -> str:
    """An error without the name of its source at the beginning, for a text that names it before."""
    return re.sub(rf"^(\w+: )?source {re.escape(source)}: ", r"\1", error)


def _say_limit(limit: timedelta) -> str:
    seconds = limit.total_seconds()
    exact = f"{seconds:.0f} s"
    return exact if seconds < 60 else f"{exact} ({format_duration(seconds)})"


def _say_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
