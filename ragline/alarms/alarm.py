"""The class of an alarm, and the kinds of alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]
MAX_NAMED_DOCUMENTS = 5
MAX_CAUSE_CHARS = 600


class AlarmKind(NamedTuple):
    """A kind of alarm.

    `runbook` is the name of its page in docs/runbooks. `when` says when the alarm is raised.
    """

    runbook: str
    when: str


KINDS = {
    "source_unreachable": AlarmKind("source-unreachable", "a source cannot be listed or probed"),
    "source_not_configured": AlarmKind(
        "source-not-configured",
        "searches still find documents of a source that is no longer in the configuration",
    ),
    "source_never_synced": AlarmKind(
        "source-never-synced", "a configured source was never listed completely"
    ),
    "source_not_watched": AlarmKind(
        "change-late",
        "the last listing or probe of a source is older than one hour and older than twice the "
        "shorter limit",
    ),
    "sync_failed": AlarmKind(
        "sync-failed",
        "syncs of a source failed 3 times in a row; once is enough if the configuration caused the "
        "failure, or if a change or a removal is late",
    ),
    "change_late": AlarmKind("change-late", "a change waits longer than `visible_within`"),
    "removal_late": AlarmKind("removal-late", "a removal waits longer than `forgotten_within`"),
    "removals_held": AlarmKind("removals-held", "a listing lacked too many documents at once"),
    "documents_failed": AlarmKind(
        "documents-failed",
        "Ragline has failed to read changed documents for longer than `visible_within`",
    ),
    "proof_differs": AlarmKind(
        "proof-differs", "a sync proof found a difference that no change of the source explains"
    ),
    "settings_refused": AlarmKind(
        "settings-refused",
        "`ragline.yaml` cannot be loaded, or the settings of a collection cannot be satisfied; "
        "searches use the live generation",
    ),
    "generation_build_failed": AlarmKind(
        "build-failed", "the configured generation cannot be built"
    ),
    "quality_dropped": AlarmKind(
        "quality-drop-after-promotion",
        "after a promotion, the online figures are worse than in the days before the promotion",
    ),
    "candidate_not_passed": AlarmKind(
        "refused-candidate",
        "with `build: automatic`, the gate did not pass the candidate of a sync",
    ),
    "promotion_forced": AlarmKind(
        "forced-promotion",
        "a person promoted the live generation or released its search settings by force, and no "
        "later gate has passed them",
    ),
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """A condition on which an operator must act.

    `text` describes the alarm in one sentence, with its cause and its remedy. `source` is None for
    an alarm about a whole collection. `documents` contains at most MAX_NAMED_DOCUMENTS ids. `since`
    is the time at which the condition began, or None if that time is not known.
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
        """A text that identifies the alarm while its condition lasts, even if `text` changes."""
        return f"{self.name}:{self.collection}:{self.source or ''}"


def create_alarm(
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
    """Make an alarm. `name` is its kind, a key of KINDS.

    `cause` is a sentence, and `remedy` is an instruction. The alarm contains at most
    MAX_NAMED_DOCUMENTS of the documents. A cause of more than MAX_CAUSE_CHARS characters is
    shortened.
    """
    cause = cause if len(cause) <= MAX_CAUSE_CHARS else f"{cause[:MAX_CAUSE_CHARS]}…"
    return Alarm(
        name=name,
        severity=severity,
        collection=collection,
        source=source,
        documents=list(dict.fromkeys(documents))[:MAX_NAMED_DOCUMENTS],
        cause=cause,
        remedy=remedy,
        since=since,
        runbook=f"docs/runbooks/{KINDS[name].runbook}.md",
        text=f"{cause}; {remedy}",
    )
