"""Explains the state of a document: its meaning, its cause, and what to do."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime

from ragline.search.document_records import DocumentRecord
from retrieval_api.page.formatting import format_age, format_timestamp

# The states in the order of their importance to visitors, each with the colour of its badge.
BADGES = {
    "ready": "good",
    "pending": "warn",
    "failed": "bad",
    "quarantined": "bad",
    "unsupported": "bad",
    "missing": "warn",
    "removed": "",
}
# Without the scope admin, a visitor sees the name of the error but not its message, because the
# message can name hosts.
HIDDEN_CAUSE = "Only a key with the scope admin shows the message."

_RESTORE_AT_SOURCE = (
    "Nothing, if the deletion is intended. Otherwise restore it at its source and run a sync."
)


@dataclass(frozen=True, slots=True)
class StateAdvice:
    """A state in words. `error` is the name of the error, `command` a shell command."""

    badge: str
    meaning: str
    error: str | None
    cause: str | None
    next_attempt: str
    remedy: str
    command: str | None


def advise(record: DocumentRecord, *, is_admin: bool, now: datetime | None = None) -> StateAdvice:
    """Explain a document's state: its meaning, its cause if the visitor may see it, the remedy.

    A document with a held removal keeps its state. The advice describes the state and the removal.
    """
    meaning, next_attempt, remedy, command = _ADVICE[record.state](record, now or datetime.now(UTC))
    if record.held_since is not None:
        meaning += (
            f" It has been missing in the listings of {record.source} since "
            f"{format_timestamp(record.held_since)}. Its removal is held."
        )
        remedy = "If it was deleted at the source, confirm the removals of this source."
        command = _command("confirm-removals", record.source)
    cause = record.error if is_admin or record.error is None else HIDDEN_CAUSE
    return StateAdvice(
        badge=BADGES[record.state],
        meaning=meaning,
        error=record.error_name,
        cause=cause,
        next_attempt=next_attempt,
        remedy=remedy,
        command=command,
    )


_Advice = tuple[str, str, str, str | None]


def _advise_ready(record: DocumentRecord, _now: datetime) -> _Advice:
    if record.chunks:
        meaning = "Searches return the version that its source listed last."
        return meaning, "Not needed.", "Nothing.", None
    meaning = "Ragline read it, but it contains no text that a search can find."
    return meaning, "When it changes at its source.", "Nothing.", None


def _advise_pending(record: DocumentRecord, _now: datetime) -> _Advice:
    served = (
        " Searches return the previous version." if record.chunks else " No search finds it yet."
    )
    return (
        "Its source lists a version that is not in the index yet." + served,
        "In the running sync, or in the next one.",
        "Wait for the sync, or start one.",
        _command("sync", record.source),
    )


def _advise_failed(record: DocumentRecord, now: datetime) -> _Advice:
    served = " Searches return its last good version." if record.chunks else ""
    tried = f"after {record.attempts} attempt{'' if record.attempts == 1 else 's'}"
    return (
        f"It could not be read {tried}. A retry can succeed.{served}",
        _describe_next_attempt(record, now),
        "Correct the cause. The next attempt is automatic. To retry now, run this, then a sync.",
        _command("retry", record.source, record.document_id),
    )


def _advise_quarantined(record: DocumentRecord, _now: datetime) -> _Advice:
    return (
        "Its content is refused, or reading it failed five times. No search finds it.",
        "When it changes at its source, or when it is released.",
        "Correct the document at its source. The next sync reads it. Or release it unchanged.",
        _command("quarantine", "release", record.source, record.document_id),
    )


def _advise_unsupported(record: DocumentRecord, now: datetime) -> _Advice:
    return (
        "No reader for its format is installed. No search finds it.",
        _describe_next_attempt(record, now),
        "Install what the cause names, then retry. Or exclude the format in ragline.yaml.",
        _command("retry", record.source, record.document_id),
    )


def _advise_missing(record: DocumentRecord, _now: datetime) -> _Advice:
    since = format_timestamp(record.missing_since)
    return (
        f"Its source has not listed it since {since}. A sync removes its entries from the index.",
        "None. The running sync or the next sync removes its entries.",
        _RESTORE_AT_SOURCE,
        _command("sync", record.source),
    )


def _advise_removed(record: DocumentRecord, _now: datetime) -> _Advice:
    since = format_timestamp(record.removed_at)
    return (
        f"It was removed from its source. Since {since}, only this record remains.",
        "When its source lists it again.",
        _RESTORE_AT_SOURCE,
        None,
    )


def _describe_next_attempt(record: DocumentRecord, now: datetime) -> str:
    if record.next_attempt_at is None:
        return "Not scheduled."
    seconds = (record.next_attempt_at - now).total_seconds()
    when = format_timestamp(record.next_attempt_at)
    if seconds <= 0:
        return f"In the next sync. It has been due since {when}."
    return f"In the first sync after {when}, in {format_age(seconds)}."


def _command(*words: str) -> str:
    return shlex.join(("ragline", *words))


_ADVICE = {
    "ready": _advise_ready,
    "pending": _advise_pending,
    "failed": _advise_failed,
    "quarantined": _advise_quarantined,
    "unsupported": _advise_unsupported,
    "missing": _advise_missing,
    "removed": _advise_removed,
}
