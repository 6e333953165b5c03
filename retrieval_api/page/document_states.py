"""What a document's state means to a reader, why it is so, and what to do about it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime

from ragline.search.document_records import DocumentRecord
from retrieval_api.page.formatting import format_age, format_timestamp

# States in the order in which people look for them, each with the colour of its badge.
BADGES = {
    "ready": "good",
    "pending": "warn",
    "failed": "bad",
    "quarantined": "bad",
    "unsupported": "bad",
    "missing": "warn",
    "removed": "",
}
# A caller without the scope admin is told what failed and not the message, which may name hosts.
HIDDEN_CAUSE = "The whole message needs a key with the scope admin."

_RESTORE_AT_SOURCE = (
    "Nothing, if it was deleted at its source. Else bring it back there; a sync reads it again."
)


@dataclass(frozen=True, slots=True)
class StateAdvice:
    """A state in words. `error` is the name of what failed; `command` a line for a shell."""

    badge: str
    meaning: str
    error: str | None
    cause: str | None
    next_attempt: str
    remedy: str
    command: str | None


def advise(record: DocumentRecord, *, is_admin: bool, now: datetime | None = None) -> StateAdvice:
    """What there is to say about a document's state, with the cause as far as the caller may know.

    A document whose removal is held keeps its state; the advice says both.
    """
    meaning, next_attempt, remedy, command = _ADVICE[record.state](record, now or datetime.now(UTC))
    if record.held_since is not None:
        meaning += (
            f" The last listings of {record.source} lack it since "
            f"{format_timestamp(record.held_since)}; its removal is held."
        )
        remedy = "If the source really lost it, confirm the removals of this source."
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
        return "Searches answer with it as its source has it.", "None is needed.", "Nothing.", None
    meaning = "It is read and has no text that a search could find."
    return meaning, "None, until it changes at its source.", "Nothing.", None


def _advise_pending(record: DocumentRecord, _now: datetime) -> _Advice:
    served = (
        " Searches answer with the version before." if record.chunks else " No search finds it yet."
    )
    return (
        "Its source lists a version that is not in the index yet." + served,
        "The sync that is running, or the next one.",
        "Wait for the sync, or start one.",
        _command("sync", record.source),
    )


def _advise_failed(record: DocumentRecord, now: datetime) -> _Advice:
    served = " Searches answer with its last good version." if record.chunks else ""
    tried = f"after {record.attempts} attempt{'' if record.attempts == 1 else 's'}"
    return (
        f"It could not be read, {tried}. Trying again may help.{served}",
        _describe_next_attempt(record, now),
        "Correct the cause. The next attempt comes by itself, or at once with this and a sync.",
        _command("retry", record.source, record.document_id),
    )


def _advise_quarantined(record: DocumentRecord, _now: datetime) -> _Advice:
    return (
        "Its content is refused, or reading it failed five times. No search finds it.",
        "None, until it changes at its source or is released.",
        "Correct the document at its source; the next sync reads it. Or have it read as it is.",
        _command("quarantine", "release", record.source, record.document_id),
    )


def _advise_unsupported(record: DocumentRecord, now: datetime) -> _Advice:
    return (
        "No reader for its format is installed. No search finds it.",
        _describe_next_attempt(record, now),
        "Install what the cause names, then try again; or exclude the format in ragline.yaml.",
        _command("retry", record.source, record.document_id),
    )


def _advise_missing(record: DocumentRecord, _now: datetime) -> _Advice:
    since = format_timestamp(record.missing_since)
    return (
        f"Its source does not list it since {since}. Its entries are leaving the index.",
        "None. The sync that is running, or the next one, removes what is left.",
        _RESTORE_AT_SOURCE,
        _command("sync", record.source),
    )


def _advise_removed(record: DocumentRecord, _now: datetime) -> _Advice:
    since = format_timestamp(record.removed_at)
    return (
        f"It was removed from its source. Nothing is left of it but this record, since {since}.",
        "None, until its source lists it again.",
        _RESTORE_AT_SOURCE,
        None,
    )


def _describe_next_attempt(record: DocumentRecord, now: datetime) -> str:
    if record.next_attempt_at is None:
        return "None is planned."
    seconds = (record.next_attempt_at - now).total_seconds()
    when = format_timestamp(record.next_attempt_at)
    if seconds <= 0:
        return f"The next sync tries it again; it is due since {when}."
    return f"The first sync after {when}, in {format_age(seconds)}."


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
