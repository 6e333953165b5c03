"""`ragline prove`: makes a sync proof, which compares source, ledger and index."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from ragline.commands import configured, json_option, print_json
from ragline.counts import count

if TYPE_CHECKING:
    from ragline.configuration import Configuration
    from ragline.lifecycle.sync_proof import SyncProof


@click.command()
@click.argument("sources", nargs=-1)
@json_option
@configured
def prove(configuration: Configuration, sources: tuple[str, ...], *, as_json: bool) -> None:
    """Compare SOURCES, or all sources, with the ledger and the index.

    The command prints each difference, and the next sync repairs it. A difference is a fault if no
    change of the source explains it. The exit status is 1 if there is a fault, or if a source
    cannot be listed.
    """
    names = list(sources) or [source.name for source in configuration.sources]
    for name in names:
        configuration.source(name)
    from ragline.lifecycle.run_context import RunContext
    from ragline.lifecycle.sync_proof import prove_source
    from ragline.storage.database import open_database

    with (
        open_database(configuration) as database,
        RunContext(configuration, database, f"prove-{uuid4()}") as run_context,
    ):
        proofs = [prove_source(run_context, name) for name in names]
    if as_json:
        print_json({"proofs": [_describe(proof) for proof in proofs]})
    else:
        for proof in proofs:
            _print(proof)
    sys.exit(0 if all(proof.holds for proof in proofs) else 1)


def _describe(proof: SyncProof) -> dict[str, object]:
    return {
        "source": proof.source,
        "holds": proof.holds,
        "is_listed": proof.is_listed,
        "documents": proof.documents,
        "hashed_documents": proof.hashed_documents,
        "entries": proof.entries,
        "largest_unseen_ratio": proof.largest_unseen_ratio,
        "differences": [
            {
                "document_id": difference.document_id,
                "what": difference.what,
                "is_fault": difference.is_fault,
            }
            for difference in proof.differences
        ],
        "source_error": proof.source_error,
        "seconds": proof.seconds,
    }


def _print(proof: SyncProof) -> None:
    for difference in proof.differences:
        why = "" if difference.is_fault else " (changed since the last sync, not a fault)"
        click.echo(f"{proof.source}: {difference.document_id}: {difference.what}{why}")
    if proof.source_error is not None:
        click.echo(f"{proof.source}: not listed: {proof.source_error}")
    changed = len(proof.differences) - len(proof.faults)
    click.echo(
        f"{proof.source}: {count(proof.documents, 'document')}, {proof.hashed_documents:,} of them "
        f"hashed, {count(proof.entries, 'entry', 'entries')}: "
        f"{count(len(proof.faults), 'difference')}"
        + (f", {changed:,} changed since the last sync" if changed else "")
    )
