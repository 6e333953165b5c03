"""Lists the proposals for a golden set for a caller, and stores the answers of a person.

The answers are stored in the folder of the golden set, as `ragline golden review` does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from getpass import getuser

from ragline.errors import UnknownDocumentError, UnknownProposalError
from ragline.golden_set.proposal_answers import JudgedDocument, accept_proposal, reject_proposal
from ragline.quality.golden_proposals import KINDS, Proposal, ProposalKind, Records, propose_queries
from ragline.search.document_records import find_documents
from ragline.search.inspection import refuse_ambiguous
from retrieval_api.access.callers import Caller
from retrieval_api.messages.golden_proposals import (
    DEFAULT_DAYS,
    MAX_DAYS,
    GradedDocument,
    ProposalAnswer,
    StoredAnswer,
)

# The name of the judge if no key exists and the user of the process has no name.
UNNAMED_JUDGE = "local caller"


def list_proposals(
    caller: Caller, collection: str, kind: ProposalKind | None = None, days: int = DEFAULT_DAYS
) -> list[Proposal]:
    """List the proposals that wait for an answer, in the order in which a person answers them.

    Raises:
        UnknownCollectionError: the collection does not exist for the caller.
        GoldenSetError: the golden set is malformed.
    """
    name = caller.collection(collection).name
    end = datetime.now(UTC)
    records = Records(name, end - timedelta(days=days), end)
    service = caller.service
    return propose_queries(
        caller.database,
        records,
        service.configuration.golden_folder(name),
        KINDS if kind is None else (kind,),
        service.proposals.make_reader(caller.database, records, caller.tenant, days),
    )


def show_visible(caller: Caller, collection: str, proposal: Proposal) -> Proposal:
    """Return the proposal without the suggested documents that the caller may not see."""
    visible = tuple(
        replace(one, source=sources[0])
        for one in proposal.suggested
        if len(sources := _find_sources(caller, collection, one.document_id, one.source)) == 1
    )
    return replace(proposal, suggested=visible)


def store_answer(
    caller: Caller, collection: str, proposal_id: str, answer: ProposalAnswer
) -> StoredAnswer:
    """Store an answer in the golden set. The judge is the caller's key.

    Raises:
        UnknownProposalError: no proposal with this id waits. Nothing was written.
        UnknownDocumentError: the caller can see no document with a stated id. Nothing was written.
        AmbiguousDocumentError: several sources have a stated id, and the answer names no source.
        GoldenSetError: the golden set is malformed or contradicts the answer. Nothing was written.
        FileNotWrittenError: the service cannot write the folder of the golden set.
    """
    waiting = list_proposals(caller, collection, days=MAX_DAYS)
    found = next((one for one in waiting if one.id == proposal_id), None)
    if found is None:
        raise UnknownProposalError(
            f"no proposal of {collection!r} has the id {proposal_id!r}, or it is already answered; "
            "list the proposals again"
        )
    documents = [_locate(caller, collection, one) for one in answer.documents]
    count = _write(caller, collection, found, answer, documents)
    return StoredAnswer(
        id=found.id,
        query=found.query,
        answer=answer.answer,
        judged_by=name_judge(caller),
        judgements=count,
    )


def name_judge(caller: Caller) -> str:
    """Return the name that is stored with judgements: that of the key.

    While no key exists, it is the name of the user who runs the service.
    """
    if caller.key is not None:
        return caller.key.name
    try:
        return getuser()
    except (KeyError, OSError):
        return UNNAMED_JUDGE


def _write(
    caller: Caller,
    collection: str,
    proposal: Proposal,
    answer: ProposalAnswer,
    documents: Sequence[JudgedDocument],
) -> int:
    """Write the answer. Return the number of added judgements."""
    folder = caller.service.configuration.golden_folder(collection)
    judge = name_judge(caller)
    if answer.answer == "reject":
        reject_proposal(folder, proposal.query, judged_by=judge)
        return 0
    kind = proposal.reasons[0].kind
    added = accept_proposal(folder, proposal.query, documents, kind, judged_by=judge)
    return len(added.added)


def _locate(caller: Caller, collection: str, one: GradedDocument) -> JudgedDocument:
    sources = _find_sources(caller, collection, one.document_id, one.source)
    if not sources:
        raise UnknownDocumentError(
            f"collection {collection!r} has no document {one.document_id!r}; "
            "search for it, and name the document_id of the hit"
        )
    refuse_ambiguous(one.document_id, sources)
    return JudgedDocument(one.document_id, one.grade, sources[0])


def _find_sources(
    caller: Caller, collection: str, document_id: str, source: str | None
) -> list[str]:
    """Return the sources that have a `ready` document with this id.

    A document counts only if the caller may see it.
    """
    principals = caller.restrict_principals(())
    found = find_documents(caller.database, collection, document_id, principals, source)
    return [record.source for record in found if record.state == "ready"]
