"""The output of `ragline golden`: the JSON form and the lines of a status and of an import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ragline.counts import count

if TYPE_CHECKING:
    from ragline.evaluation.golden_status import GoldenStatus
    from ragline.golden_set.content import Judgement
    from ragline.golden_set.merging import MergeReport

HASH_DIGITS = 12
SHOWN_LINES = 50
REASONS = {
    "removed": "the source no longer has the document",
    "unknown_document": "no document has this id",
    "unknown_source": "the collection has no such source",
}


def describe_status(status: GoldenStatus) -> dict[str, Any]:
    """Return the status of a golden set in the form of the JSON output."""
    unknown = status.unknown
    return {
        "collection": status.collection,
        "folder": status.folder,
        "error": None,
        "golden_version": status.content_hash,
        "card": None if status.card is None else status.card.model_dump(mode="json"),
        "queries": status.queries,
        "answerable": status.queries - status.unanswerable,
        "unanswerable": status.unanswerable,
        "judgements": status.judgements,
        "splits": {name: asdict(counts) for name, counts in status.splits.items()},
        "unjudged_queries": status.unjudged,
        "queries_without_relevant": status.without_relevant,
        "findings": [
            {"kind": one.kind, "path": one.path, "line": one.line, "message": one.message}
            for one in status.findings
        ],
        "has_documents": unknown is not None,
        "gone_judgements": [] if unknown is None else [asdict(one) for one in unknown.judgements],
        "unknown_documents": [] if unknown is None else unknown.document_ids,
        "missing_passages": [
            _describe_judgement(one) | {"passage": one.passage} for one in status.missing_passages
        ],
        "rejected_proposals": status.rejected,
    }


def print_all(shown: Sequence[dict[str, Any]]) -> None:
    """Print the results of `describe_status` as lines for people."""
    for one in shown:
        _print_status(one)
    if not shown:
        click.echo("no collection has a golden set; `ragline golden add` starts one")


def _print_status(described: dict[str, Any]) -> None:
    if described["error"]:
        click.echo(f"{described['collection']}: {described['error']}", err=True)
        return
    click.echo(
        f"{described['collection']}: {count(described['queries'], 'query', 'queries')} "
        f"({described['unanswerable']:,} without an answer), "
        f"{count(described['judgements'], 'judgement')}, "
        f"version {described['golden_version'][:HASH_DIGITS]}, {described['folder']}"
    )
    for name, counts in described["splits"].items():
        click.echo(
            f"  {name:<9}{counts['queries']:>6,} judged, {counts['unanswerable']:>4,} without an "
            f"answer, {counts['judgements']:>6,} judgements"
        )
    click.echo(f"  card     {_describe_card(described['card'])}")
    if not described["is_configured"]:
        click.echo(
            f"  not used by evaluations; add `golden: {described['folder']}` to the collection"
        )
    _print_problems(described)


def _print_problems(described: dict[str, Any]) -> None:
    for key in described["unjudged_queries"]:
        click.echo(f"  not judged: {key}")
    for key in described["queries_without_relevant"]:
        click.echo(f"  no relevant document, so every score is 0: {key}")
    for finding in described["findings"]:
        click.echo(f"  {finding['path']}:{finding['line']}: {finding['message']}")
    if not described["has_documents"]:
        click.echo("  the collection has no documents yet, so judged documents were not checked")
    for gone in described["gone_judgements"]:
        click.echo(f"  gone: {_name_judged(gone)}: {REASONS[gone['reason']]}")
    for one in described["missing_passages"]:
        click.echo(f"  passage not found: {_name_judged(one)}: {one['passage']!r}")


def _describe_card(card: dict[str, Any] | None) -> str:
    if card is None:
        return "missing; write card.yaml with judged_by, judged_at, made_from, licence and notes"
    judges = f"judged by {', '.join(card['judged_by'])}" if card["judged_by"] else None
    stated = [judges, card["judged_at"], card["made_from"], card["licence"], card["notes"]]
    return "; ".join(str(one) for one in stated if one) or "states nothing"


def _name_judged(one: dict[str, Any]) -> str:
    source = f" of the source {one['source']}" if one["source"] else ""
    return f"{one['query_id']}: {one['document_id']}{source}"


def describe_merge(report: MergeReport) -> dict[str, Any]:
    """Return the report of an import in the form of the JSON output."""
    return {
        "is_written": report.is_written,
        "golden_version": report.content_hash,
        "added_queries": report.added_queries,
        "added_judgements": [_describe_judgement(one) for one in report.added_judgements],
        "changed": [asdict(one) for one in report.changed],
        "conflicts": [asdict(one) for one in report.conflicts],
        "unchanged": report.unchanged,
    }


def _describe_judgement(one: Judgement) -> dict[str, Any]:
    return {
        "query_id": one.query_id,
        "source": one.source,
        "document_id": one.document_id,
        "grade": one.grade,
    }


def print_merge(report: MergeReport, folder: Path) -> None:
    """Print the report of an import as lines for people."""
    for name, lines in (("changed", report.changed), ("conflict", report.conflicts)):
        for one in lines[:SHOWN_LINES]:
            click.echo(f"{name}: {one.text}", err=name == "conflict")
        if len(lines) > SHOWN_LINES:
            click.echo(f"{name}: {len(lines) - SHOWN_LINES:,} more; --json lists them all")
    click.echo(
        f"{count(len(report.added_queries), 'query', 'queries')} and "
        f"{count(len(report.added_judgements), 'judgement')} added, "
        f"{len(report.changed):,} changed, {report.unchanged:,} unchanged, "
        f"{len(report.conflicts):,} in conflict"
    )
    if report.conflicts:
        is_final = not any(one.is_replaceable for one in report.conflicts)
        remedy = "correct the lines by hand" if is_final else "--replace prefers the import"
        click.echo(f"nothing was written to {folder}; {remedy}", err=True)
    elif not report.is_written:
        click.echo(f"nothing was written to {folder}")
