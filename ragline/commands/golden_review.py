"""`ragline golden review`: proposes queries for a golden set, and stores what a person answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from ragline.command_line.golden_options import judged_by_option
from ragline.command_line.proposal_dialog import ProposalDialog, print_proposal
from ragline.commands import configured, json_option, print_json
from ragline.counts import count

if TYPE_CHECKING:
    from pathlib import Path

    from ragline.configuration import Configuration
    from ragline.golden_set.proposal_answers import JudgedDocument
    from ragline.quality.golden_proposals import Proposal, ProposalKind
    from ragline.storage.database import Database

# As in `ragline.quality.golden_proposals`, which is not imported before the configuration is read.
KINDS: tuple[ProposalKind, ...] = ("feedback", "zero_results", "reformulation", "heading")


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers in the options: the ids to accept and to reject, and the judgement to store."""

    accept: tuple[str, ...]
    reject: tuple[str, ...]
    document_id: str | None
    source: str | None
    relevance: int
    is_unanswerable: bool

    def check(self) -> None:
        """Refuse options that contradict each other."""
        is_judged = self.document_id is not None or self.is_unanswerable
        if is_judged and (len(self.accept) != 1 or self.reject):
            raise click.UsageError("--document and --unanswerable need exactly one --accept")
        if self.document_id is not None and self.is_unanswerable:
            raise click.UsageError("name a --document, or give --unanswerable, but not both")
        if both := set(self.accept) & set(self.reject):
            raise click.UsageError(f"{min(both)} is accepted and rejected; name it once")


@click.command("review")
@click.argument("collection")
@click.option(
    "--from",
    "kinds",
    multiple=True,
    type=click.Choice(KINDS),
    help="Kind of proposals. Repeat the option for several. Default: all kinds.",
)
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="Propose queries of searches of the last DAYS days.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Maximum number of proposals to show.",
)
@click.option("--list", "is_list", is_flag=True, help="List the proposals, and ask nothing.")
@click.option("--accept", multiple=True, metavar="ID", help="Accept a proposal. Repeat the option.")
@click.option("--reject", multiple=True, metavar="ID", help="Reject a proposal. Repeat the option.")
@click.option("--document", "document_id", help="Accept with this document, not the suggestion.")
@click.option("--source", help="Source of the document. Default: the source that has the id.")
@click.option(
    "--relevance",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Grade of the document.",
)
@click.option("--unanswerable", is_flag=True, help="Accept as a query without an answer.")
@judged_by_option
@json_option
@configured
def review(
    configuration: Configuration,
    collection: str,
    *,
    kinds: tuple[ProposalKind, ...],
    days: int,
    limit: int,
    is_list: bool,
    accept: tuple[str, ...],
    reject: tuple[str, ...],
    document_id: str | None,
    source: str | None,
    relevance: int,
    unanswerable: bool,
    judged_by: str,
    as_json: bool,
) -> None:
    """Propose queries for the golden set of COLLECTION, and ask a person to judge them.

    Proposals come from feedback, from searches that found nothing or were reformulated, and from
    headings of documents. Only accepted proposals become a part of the golden set. The name of the
    judge and the time are stored. With --accept or --reject, nothing is asked.
    """
    answers = Answers(accept, reject, document_id, source, relevance, unanswerable)
    answers.check()
    folder = configuration.golden_folder(collection)
    from ragline.quality.golden_proposals import Records, propose_queries
    from ragline.storage.database import open_database

    end = datetime.now(UTC)
    records = Records(collection, end - timedelta(days=days), end)
    with open_database(configuration) as database:
        proposals = propose_queries(database, records, folder, kinds or KINDS)
        if accept or reject:
            result = _answer(database, collection, folder, proposals, answers, judged_by)
        elif is_list or as_json:
            result = _list_proposals(proposals, limit, as_json=as_json)
        else:
            dialog = ProposalDialog(configuration, database, collection, folder, judged_by)
            result = dialog.ask(proposals[:limit])
    if as_json:
        print_json(result)
    elif not is_list or accept or reject:
        click.echo(
            f"{count(len(result['accepted']), 'proposal')} accepted, "
            f"{len(result['rejected']):,} rejected"
        )


def _list_proposals(proposals: list[Proposal], limit: int, *, as_json: bool) -> dict[str, Any]:
    shown = proposals[:limit]
    if not as_json:
        for one in shown:
            print_proposal(one)
        click.echo(f"{count(len(proposals), 'proposal')}, {len(shown):,} shown")
    return {
        "proposals": [asdict(one) | {"is_acceptable": one.is_acceptable} for one in shown],
        "total": len(proposals),
    }


def _answer(
    database: Database,
    collection: str,
    folder: Path,
    proposals: Sequence[Proposal],
    answers: Answers,
    judged_by: str,
) -> dict[str, Any]:
    """Store the answers of the options. All ids are checked before anything is written."""
    from ragline.golden_set.proposal_answers import accept_proposal, reject_proposal

    known = {one.id: one for one in proposals}
    _check_ids(known, answers)
    documents = _read_documents(database, collection, answers)
    for name in answers.accept:
        one = known[name]
        judged = one.suggested if documents is None else documents
        accept_proposal(folder, one.query, judged, one.reasons[0].kind, judged_by=judged_by)
    for name in answers.reject:
        reject_proposal(folder, known[name].query, judged_by=judged_by)
    return {"accepted": list(answers.accept), "rejected": list(answers.reject)}


def _check_ids(known: Mapping[str, Proposal], answers: Answers) -> None:
    for name in (*answers.accept, *answers.reject):
        if name not in known:
            raise click.UsageError(
                f"no proposal has the id {name!r}; --list shows the proposals, with --limit and "
                "--days"
            )
    if answers.document_id is not None or answers.is_unanswerable:
        return
    for name in answers.accept:
        if not known[name].is_acceptable:
            raise click.UsageError(
                f"the proposal {name} suggests no relevant document; accept it with --document or "
                "--unanswerable"
            )


def _read_documents(
    database: Database, collection: str, answers: Answers
) -> list[JudgedDocument] | None:
    """Return a list with the document of --document; empty with --unanswerable.

    None if neither option is given.
    """
    from ragline.evaluation.judged_documents import locate_document
    from ragline.golden_set.proposal_answers import JudgedDocument

    if answers.document_id is None:
        return [] if answers.is_unanswerable else None
    source = locate_document(database, collection, answers.document_id, answers.source)
    return [JudgedDocument(answers.document_id, answers.relevance, source)]
