"""Finds the alarms of one source from facts about the source.

Each cause raises one alarm. The symptoms of a cause raise no alarm. For example, a source that
cannot be reached also has late changes, but its alarm names only the failed access.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ragline.alarms.alarm import MAX_NAMED_DOCUMENTS, Alarm, Severity, create_alarm
from ragline.durations import format_duration
from ragline.errors import ConfigurationError

# A document that waits longer than this multiple of its limit raises an alarm with the severity
# `error`. A shorter wait raises an alarm with the severity `warning`.
ERROR_FACTOR = 2.0
# A failed sync is repeated automatically. After this number of failures in a row, an operator must
# act.
MAX_FAILURES = 3
# A source counts as not watched if its last listing or probe is older than this time, and also
# older than ERROR_FACTOR times its shorter limit.
MAX_UNWATCHED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LateDocument:
    """A document that has waited longer than its limit.

    `error` is the error of the last attempt, or None.
    """

    document_id: str
    state: str
    waiting_since: datetime
    error: str | None
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """The facts about a source that determine its alarms.

    `known_since` is the time at which the source was first registered. `failures` counts the syncs
    that failed since the last successful one. `failing_since` is the start of the first of these
    syncs, and `last_error` is the newest error. `late`, `held_documents` and `differences` contain
    only the first few documents. In `late`, the document with the longest wait is first.
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
        """Return the late documents that are in one of the given states."""
        return [document for document in self.late if document.state in states]


def find_source_alarms(facts: SourceFacts, now: datetime) -> list[Alarm]:
    """Return the alarms of one source at the time `now`, one for each cause."""
    if not facts.is_configured:
        return [_find_unconfigured(facts)]
    held = _find_held(facts)
    cause = _find_unreachable(facts) or _find_failing(facts)
    if cause is not None:
        # This cause also delays the documents and the repairs, so they raise no alarm of their own.
        return [alarm for alarm in (cause, held) if alarm is not None]
    symptoms = (
        held,
        _find_failed_documents(facts, now),
        _find_late_removals(facts, now) or _find_late_changes(facts, now),
        _find_differences(facts),
    )
    alarms = [alarm for alarm in symptoms if alarm is not None]
    unwatched = _find_unwatched(facts, now)
    return alarms or ([unwatched] if unwatched is not None else [])


def _find_unconfigured(facts: SourceFacts) -> Alarm:
    return create_alarm(
        "source_not_configured",
        severity="warning",
        collection=facts.collection,
        source=facts.source,
        cause=(
            f"source {facts.source} is not configured any more, and its documents are still served"
        ),
        remedy=(
            f"to delete its documents: ragline remove {facts.source}; to keep them, add the source "
            "to the configuration"
        ),
    )


def _find_unreachable(facts: SourceFacts) -> Alarm | None:
    since = facts.unreachable_since
    if since is None:
        return None
    return create_alarm(
        "source_unreachable",
        collection=facts.collection,
        source=facts.source,
        cause=(
            f"source {facts.source} cannot be reached since {_format_time(since)}: "
            f"{_remove_source_name(facts.unreachable_error or '', facts.source)}"
        ),
        remedy=(
            "restore access as the message says; the documents of the source are served meanwhile, "
            "and the next probe or listing syncs it"
        ),
        since=since,
    )


def _find_failing(facts: SourceFacts) -> Alarm | None:
    """Return the alarm for failed syncs, or None.

    The alarm needs MAX_FAILURES failures in a row. One failure is enough if it explains a late
    document, or if the configuration is its cause.
    """
    waiting = facts.list_late("pending", "missing")
    is_cause = bool(facts.failures and waiting and facts.last_error)
    # If the configuration is the cause, each retry fails again.
    is_lasting = (facts.last_error or "").startswith(ConfigurationError.__name__)
    if facts.failures < MAX_FAILURES and not (is_cause or (facts.failures and is_lasting)):
        return None
    times = "once" if facts.failures == 1 else f"{facts.failures} times in a row"
    named = [document.document_id for document in waiting]
    late = f" while {_list_names(named, len(named))} waits" if waiting else ""
    reason = _remove_source_name(
        facts.last_error or "the run ended before its last stage", facts.source
    )
    return create_alarm(
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


def _find_held(facts: SourceFacts) -> Alarm | None:
    if not facts.held_count:
        return None
    return create_alarm(
        "removals_held",
        collection=facts.collection,
        source=facts.source,
        documents=facts.held_documents,
        cause=(
            f"{facts.held_count} removals are held: a listing of source {facts.source} lacked "
            f"too many documents at once ({_list_names(facts.held_documents, facts.held_count)})"
        ),
        remedy=(
            "if the source lost them by mistake, restore them there; if it really lost them: "
            f"ragline confirm-removals {facts.source}"
        ),
        since=facts.held_since,
    )


def _find_failed_documents(facts: SourceFacts, now: datetime) -> Alarm | None:
    late = facts.list_late("failed")
    if not late:
        return None
    first = late[0]
    again = (
        "the next sync" if first.next_attempt_at is None else _format_time(first.next_attempt_at)
    )
    others = f" (and {len(late) - 1} more)" if len(late) > 1 else ""
    return create_alarm(
        "documents_failed",
        severity=_choose_severity(first, facts.visible_within, now),
        collection=facts.collection,
        source=facts.source,
        documents=[document.document_id for document in late],
        cause=(
            f"the change of {first.document_id}{others} in source {facts.source} is not visible "
            f"after more than {_format_limit(facts.visible_within)}, because the document cannot "
            f"be read: {first.error}"
        ),
        remedy=(
            f"fix the document, or wait for its next attempt at {again}; to try at once: "
            f"ragline retry {facts.source}"
        ),
        since=first.waiting_since,
    )


def _find_late_changes(facts: SourceFacts, now: datetime) -> Alarm | None:
    return _find_late(
        facts, "change_late", "a change", "visible", "pending", facts.visible_within, now
    )


def _find_late_removals(facts: SourceFacts, now: datetime) -> Alarm | None:
    return _find_late(
        facts, "removal_late", "a removal", "forgotten", "missing", facts.forgotten_within, now
    )


def _find_late(
    facts: SourceFacts,
    name: str,
    subject: str,
    goal: str,
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
        f"its sync is running; to make it faster, run in another process: "
        f"ragline work {facts.source}"
        if facts.is_syncing
        else (
            f"no sync is running: start ragline dev or the Dagster daemon, or run "
            f"ragline sync {facts.source}"
        )
    )
    return create_alarm(
        name,
        severity=_choose_severity(late[0], limit, now),
        collection=facts.collection,
        source=facts.source,
        documents=named,
        cause=(
            f"{subject} in source {facts.source} ({_list_names(named, len(named))}) has waited to "
            f"be {goal} for longer than the allowed {_format_limit(limit)}"
        ),
        remedy=remedy,
        since=late[0].waiting_since,
    )


def _find_differences(facts: SourceFacts) -> Alarm | None:
    if not facts.difference_count:
        return None
    named = [f"{document_id}: {what}" for document_id, what in facts.differences]
    return create_alarm(
        "proof_differs",
        collection=facts.collection,
        source=facts.source,
        documents=[document_id for document_id, _ in facts.differences],
        cause=(
            f"{facts.difference_count} differences between source, ledger and index of source "
            f"{facts.source} ({_list_names(named, facts.difference_count)})"
        ),
        remedy=(
            f"the next sync repairs them; if they stay: ragline sync {facts.source}, then "
            f"ragline prove {facts.source}"
        ),
        since=facts.differs_since,
    )


def _find_unwatched(facts: SourceFacts, now: datetime) -> Alarm | None:
    """Return the alarm for a source that was neither listed nor probed recently, or None."""
    limit = min(facts.visible_within, facts.forgotten_within)
    seen_at = facts.proven_at or facts.known_since
    if facts.is_syncing or now - seen_at <= max(ERROR_FACTOR * limit, MAX_UNWATCHED):
        return None
    is_known = facts.listed_at is not None
    return create_alarm(
        "source_not_watched" if is_known else "source_never_synced",
        severity="warning",
        collection=facts.collection,
        source=facts.source,
        cause=(
            f"source {facts.source} was neither listed nor probed since {_format_time(seen_at)}, "
            f"longer than twice the allowed {_format_limit(limit)}"
            if is_known
            else f"source {facts.source} was never listed completely"
        ),
        remedy=(
            f"start ragline dev, or the Dagster daemon with the sensor of the source, or run "
            f"ragline sync {facts.source}"
        ),
        since=seen_at,
    )


def _choose_severity(first: LateDocument, limit: timedelta, now: datetime) -> Severity:
    return "error" if now - first.waiting_since > ERROR_FACTOR * limit else "warning"


def _list_names(named: Sequence[str], count: int) -> str:
    """Return the first names as text, followed by an ellipsis if `count` is larger."""
    shown = ", ".join(named[:MAX_NAMED_DOCUMENTS])
    return f"{shown}, …" if count > MAX_NAMED_DOCUMENTS else shown


def _remove_source_name(error: str, source: str) -> str:
    """Remove the name of the source from an error, because the alarm already names the source."""
    return re.sub(rf"^(\w+: )?source {re.escape(source)}: ", r"\1", error)


def _format_limit(limit: timedelta) -> str:
    seconds = limit.total_seconds()
    exact = f"{seconds:.0f} s"
    return exact if seconds < 60 else f"{exact} ({format_duration(seconds)})"


def _format_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
