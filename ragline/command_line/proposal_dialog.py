"""Shows proposed queries in the terminal, and stores what a person answers.

`ragline.golden_set.proposal_answers` writes the answers. Each answer is written at once, so nothing
is lost when the person stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ragline.errors import GoldenSetError, IndexNotReadyError

if TYPE_CHECKING:
    from ragline.configuration import Configuration
    from ragline.golden_set.proposal_answers import JudgedDocument
    from ragline.quality.golden_proposals import Proposal
    from ragline.search.messages import Hit
    from ragline.search.searcher import Searcher
    from ragline.storage.database import Database

SHOWN_HITS = 5
SHOWN_CHARS = 160
KEYS = (
    "y: accept the suggestion; 1 3: these hits are relevant; n: no document answers it; "
    "r: reject the query; s: skip; q: quit"
)


def print_proposal(proposal: Proposal) -> None:
    """Print a proposal: its id, its query, its reasons and the suggested documents."""
    click.echo(f"{proposal.id} {proposal.query}")
    for reason in proposal.reasons:
        click.echo(f"  {reason.kind}: {reason.text}")
    for one in proposal.suggested:
        source = f" of the source {one.source}" if one.source else ""
        click.echo(f"  suggested: {one.document_id}{source}, relevance {one.grade}")


class ProposalDialog:
    """A dialog in the terminal, in which a person judges the hits of each proposed query."""

    def __init__(
        self,
        configuration: Configuration,
        database: Database,
        collection: str,
        folder: Path,
        judged_by: str,
    ) -> None:
        self._configuration = configuration
        self._database = database
        self._collection = collection
        self._folder = folder
        self._judged_by = judged_by
        self._searcher: Searcher | None = None

    def ask(self, proposals: Sequence[Proposal]) -> dict[str, Any]:
        """Ask about each proposal until the person quits.

        Returns the ids of the proposals in two lists, `accepted` and `rejected`.
        """
        accepted: list[str] = []
        rejected: list[str] = []
        for number, proposal in enumerate(proposals, start=1):
            click.echo(f"\n[{number}/{len(proposals)}]")
            print_proposal(proposal)
            hits = self._search(proposal.query)
            for hit in hits:
                click.echo(f"  {hit.rank}. {hit.document_id}: {_shorten(hit.text)}")
            answer = self._ask_one(proposal, hits)
            if answer == "q":
                break
            if answer == "r":
                rejected.append(proposal.id)
            elif answer != "s":
                accepted.append(proposal.id)
        return {"accepted": accepted, "rejected": rejected}

    def _ask_one(self, proposal: Proposal, hits: Sequence[Hit]) -> str:
        """Ask until an answer is valid. Store this answer, and return it."""
        from ragline.golden_set.proposal_answers import accept_proposal, reject_proposal

        click.echo(f"  {KEYS}")
        while True:
            answer = str(click.prompt("judge", prompt_suffix="> ")).strip().casefold()
            if answer in {"s", "q"}:
                return answer
            try:
                if answer == "r":
                    reject_proposal(self._folder, proposal.query, judged_by=self._judged_by)
                else:
                    accept_proposal(
                        self._folder,
                        proposal.query,
                        self._read_judged(answer, proposal, hits),
                        proposal.reasons[0].kind,
                        judged_by=self._judged_by,
                    )
            except (ValueError, GoldenSetError) as error:
                click.echo(f"  {error}")
            else:
                return answer

    def _read_judged(
        self, answer: str, proposal: Proposal, hits: Sequence[Hit]
    ) -> Sequence[JudgedDocument]:
        """Return the documents that an answer names, with their grades.

        Raises:
            ValueError: the answer is unknown, or it names a hit that is not shown.
        """
        from ragline.golden_set.proposal_answers import JudgedDocument

        if answer == "n":
            return []
        if answer == "y":
            if not proposal.is_acceptable:
                raise ValueError("no relevant document is suggested; name hits, or answer n")
            return proposal.suggested
        by_rank = {str(hit.rank): hit for hit in hits}
        chosen = answer.replace(",", " ").split()
        if not chosen or not by_rank.keys() >= set(chosen):
            raise ValueError(f"{answer!r} is not an answer. {KEYS}")
        return [
            JudgedDocument(by_rank[rank].document_id, 1, by_rank[rank].source)
            for rank in dict.fromkeys(chosen)
        ]

    def _search(self, query: str) -> Sequence[Hit]:
        """Return the first hits of a query, at most one for each document."""
        from ragline.search.messages import SearchRequest
        from ragline.search.searcher import Searcher

        if self._searcher is None:
            self._searcher = Searcher(self._database, self._configuration)
        request = SearchRequest(
            self._collection, query, SHOWN_HITS, principals=None, max_per_document=1,
            min_confidence=0,
        )  # fmt: skip
        try:
            return self._searcher.search(request).hits
        except IndexNotReadyError:
            return ()


def _shorten(text: str | None) -> str:
    line = " ".join((text or "").split())
    return line if len(line) <= SHOWN_CHARS else f"{line[:SHOWN_CHARS]}…"
