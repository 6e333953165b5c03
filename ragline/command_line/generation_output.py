"""What the commands of the group `generation` print."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from ragline.counts import count

if TYPE_CHECKING:
    from datetime import datetime

    from ragline.configuration import CollectionSettings
    from ragline.gate.stored_reports import GateRecord
    from ragline.lifecycle.approvals import Approval
    from ragline.lifecycle.generation_builds import BuildReport
    from ragline.lifecycle.generation_decisions import Promotion
    from ragline.lifecycle.generation_records import GenerationEvent, GenerationRecord
    from ragline.lifecycle.release_list import ListedRelease


def describe_generation(record: GenerationRecord) -> str:
    """Return a line about a generation: its state, model, settings and size."""
    held = ", held" if record.held_at is not None else ""
    return (
        f"{record.collection}: generation {record.id}, {record.state}{held}: "
        f"{record.embedding_model}, {record.language}, {record.max_tokens} tokens, "
        f"overlap {record.overlap_tokens}; "
        f"{count(record.documents, 'document')}, {count(record.entries, 'entry', 'entries')}"
    )


def print_history(
    record: GenerationRecord,
    events: Iterable[GenerationEvent],
    reports: Iterable[GateRecord],
    approvals: Iterable[Approval],
) -> None:
    """Print a generation with its trail, the reports about it, and the approvals."""
    click.echo(describe_generation(record))
    for event in events:
        click.echo(f"  {_describe_event(event)}")
    for report in reports:
        click.echo(f"  {_describe_report(report)}")
    for approval in approvals:
        click.echo(
            f"  {_format_time(approval.approved_at)} gate report {approval.report_id} approved, by "
            f"{approval.approved_by}: {approval.reason}"
        )


def _describe_event(event: GenerationEvent) -> str:
    states = (
        event.to_state if event.from_state is None else f"{event.from_state} to {event.to_state}"
    )
    reason = "" if event.reason is None else f": {event.reason}"
    if event.report_id is not None:
        states += f", gate report {event.report_id}"
    if event.is_forced:
        states += ", forced"
    return f"{_format_time(event.changed_at)} {states}, by {event.changed_by}{reason}"


def describe_release(release: ListedRelease) -> str:
    """Return a line about a release: generation, settings, changes, gate, person and reason."""
    changed = {**release.build_changes, **release.changes}
    changes = "; ".join(f"{name} is now {value}" for name, value in changed.items())
    report = "" if release.report_id is None else f", gate report {release.report_id}"
    reason = "" if release.reason is None else f": {release.reason}"
    forced = f"; forced in spite of this: {release.forced_against}" if release.is_forced else ""
    return (
        f"{_format_time(release.released_at)} release {release.id}"
        f"{' (searches use it)' if release.is_now else ''}: generation {release.generation_id} "
        f"({_describe_build_settings(release)}), {changes or 'no changed setting'}{report}, by "
        f"{release.released_by}{reason}{forced}"
    )


def _describe_build_settings(release: ListedRelease) -> str:
    built = release.build_settings
    return (
        f"{built['embedding_model']}, dimension {built['dimension']:,}, chunks of "
        f"{built['chunking.max_tokens']:,} tokens, overlap {built['chunking.overlap_tokens']:,}, "
        f"{built['language']}"
    )


def _describe_report(report: GateRecord) -> str:
    live = "no live generation" if report.live_id is None else f"generation {report.live_id}"
    return (
        f"{_format_time(report.created_at)} gate report {report.id}, against {live}: "
        f"{report.verdict}, by {report.asked_by}"
    )


def _format_time(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def describe_build(report: BuildReport, settings: CollectionSettings) -> str:
    """Return what a build did, and the command that comes next."""
    head = f"{report.collection}: generation {report.generation} "
    if report.state == "live":
        return f"{head}is live and has these settings"
    if report.state == "retired":
        return (
            f"{head}is retired, has these settings and receives changes; promote it with "
            f"`ragline generation promote {report.generation}`"
        )
    made = (
        f"{count(report.chunks_made, 'chunk')} made, "
        f"{count(report.embeddings_made, 'embedding')} made, "
        f"{count(report.entries_inserted, 'entry', 'entries')} written in {report.seconds:.1f} s"
    )
    if report.state != "candidate":
        return f"{head}is {report.state} now: {made}"
    steps = []
    if settings.golden or settings.approval == "required":
        steps.append(f"judge it with `ragline gate {report.collection}`")
    if settings.approval == "required":
        approve = f"`ragline generation approve {report.generation} --reason … --by …`"
        steps.append(f"approve it with {approve}")
    steps.append(f"promote it with `ragline generation promote {report.generation}`")
    return f"{head}is a candidate: {made}; {', then '.join(steps)}"


def print_promotion(promotion: Promotion) -> None:
    """Print which generation is live now, and what the decision is based on."""
    line = f"{promotion.collection}: generation {promotion.generation} is live"
    if promotion.retired_generation is not None:
        line += f", generation {promotion.retired_generation} is retired"
    if promotion.served_settings:
        changes = ", ".join(
            f"{name} is now {value}" for name, value in promotion.served_settings.items()
        )
        joint = " with" if promotion.retired_generation is None else ";"
        line += f"{joint} changed search settings: {changes}"
    click.echo(line)
    if promotion.undone_force is not None:
        click.echo(f"the rollback has undone {promotion.undone_force}")
    click.echo(_describe_grounds(promotion))
    if promotion.unindexed:
        click.echo(
            f"{count(promotion.unindexed, 'document')} changed since; the next sync indexes them"
        )


def _describe_grounds(promotion: Promotion) -> str:
    """Describe what a promotion is based on."""
    if promotion.is_forced:
        return f"the promotion is forced in spite of this: {promotion.forced_against}"
    if promotion.based_on == "gate":
        return f"the gate passed it in report {promotion.report_id}"
    if promotion.based_on == "earlier_promotion" and promotion.settings:
        return "searches used these settings before, so they needed no judgement of the gate"
    if promotion.based_on == "earlier_promotion":
        return "it was live before, so it needed no judgement of the gate"
    if promotion.based_on == "no_golden_set":
        return "the collection has no golden set, so the settings needed no judgement of the gate"
    return (
        "the collection has no golden set or had no live generation, so the promotion needed only "
        "a complete generation that agrees with the ledger"
    )
