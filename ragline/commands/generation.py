"""`ragline generation …`: lists, builds, approves, promotes, rolls back, refuses, drops."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from ragline.command_line.generation_output import (
    describe_build,
    describe_generation,
    print_history,
    print_promotion,
)
from ragline.commands import configured, json_option, print_json
from ragline.commands.generation_canary import canary
from ragline.commands.generation_releases import releases
from ragline.errors import UnknownCollectionError, UnknownGenerationError
from ragline.storage import MAX_ROW_ID

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ragline.configuration import Configuration
    from ragline.lifecycle.generation_decisions import Decision, Promotion
    from ragline.storage.database import Database

GENERATION_ID = click.IntRange(1, MAX_ROW_ID)


@click.group()
def generation() -> None:
    """List, build, approve, promote, roll back, refuse or drop generations."""


generation.add_command(canary)
generation.add_command(releases)


def decision_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --reason and --by to a command."""
    reason = click.option("--reason", help="Reason of the decision, for the trail.")
    by = click.option(
        "--by",
        "changed_by",
        help="Name of the person who decides, for the trail. Default: the user of the operating "
        "system.",
    )
    return reason(by(command))


@generation.command("list")
@click.argument("collection", required=False)
@click.option("--all", "is_all", is_flag=True, help="List dropped generations too.")
@json_option
@configured
def list_command(
    configuration: Configuration, collection: str | None, *, is_all: bool, as_json: bool
) -> None:
    """List the generations of COLLECTION, or of all collections."""
    from ragline.lifecycle.generation_records import list_records
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        records = list_records(database, collection)
    shown = [record for record in records if is_all or record.state != "dropped"]
    if as_json:
        print_json({"generations": shown})
        return
    for record in shown:
        click.echo(describe_generation(record))
    if not shown:
        click.echo("there is no generation yet; run `ragline sync`")


@generation.command("show")
@click.argument("generation_id", metavar="ID", type=GENERATION_ID)
@json_option
@configured
def show_command(configuration: Configuration, generation_id: int, *, as_json: bool) -> None:
    """Show the generation ID: its trail and the reports of the gate about it.

    The trail says who changed its state, when and why.
    """
    from ragline.gate.stored_reports import list_reports
    from ragline.lifecycle.approvals import list_approvals
    from ragline.lifecycle.generation_records import read_record
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        record, events = read_record(database, generation_id)
        reports = list_reports(database, generation_id=generation_id)
        approvals = list_approvals(database, generation_id)
    if as_json:
        print_json(
            {
                "generation": record,
                "events": events,
                "gate_reports": reports,
                "approvals": approvals,
            }
        )
        return
    print_history(record, events, reports, approvals)


@generation.command("build")
@click.argument("collection")
@decision_options
@json_option
@configured
def build_command(
    configuration: Configuration,
    collection: str,
    *,
    reason: str | None,
    changed_by: str | None,
    as_json: bool,
) -> None:
    """Build the configured generation of COLLECTION, until it is a candidate.

    The build uses the stored parses and reads no source. Searches use the live generation, which
    does not change. After an interruption, run the command again: the build continues.
    """
    configuration.collection(collection)
    from ragline.lifecycle.generation_builds import build_generation
    from ragline.lifecycle.run_context import RunContext
    from ragline.progress import TerminalProgress
    from ragline.storage.database import open_database

    with (
        open_database(configuration) as database,
        RunContext(configuration, database, f"build-{uuid4()}", TerminalProgress()) as run_context,
    ):
        report = build_generation(run_context, collection, _decide(changed_by, reason))
    if as_json:
        print_json(report)
    else:
        click.echo(describe_build(report, configuration.collection(collection)))


@generation.command("promote")
@click.argument("target", metavar="ID|COLLECTION")
@decision_options
@click.option(
    "--force",
    "is_forced",
    is_flag=True,
    help="Promote a candidate although the gate has not passed it, a blocking check has failed, or "
    "it does not agree with the ledger. An approval is still needed if the settings require one. "
    "--force needs --reason and --by.",
)
@json_option
@configured
def promote_command(
    configuration: Configuration,
    target: str,
    *,
    reason: str | None,
    changed_by: str | None,
    is_forced: bool,
    as_json: bool,
) -> None:
    """Make the generation ID, or the candidate of COLLECTION, live.

    If the collection has a golden set, the gate must have passed the candidate. Searches use the
    generation at once, with the search settings of the configuration file. The generation that was
    live becomes retired, and is dropped after one day, unless the settings ask for it. If there is
    no candidate, only changed search settings take effect.
    """
    from ragline.storage.database import open_database

    if is_forced and not (reason and changed_by):
        raise click.UsageError("--force needs --reason and --by, which the trail records")
    decision = replace(_decide(changed_by, reason), is_forced=is_forced)
    with open_database(configuration) as database:
        promotion = promote_target(database, configuration, target, decision)
    _report_promotion(promotion, as_json=as_json)


@generation.command("approve")
@click.argument("generation_id", metavar="ID", type=GENERATION_ID)
@click.option(
    "--report",
    "report_id",
    type=GENERATION_ID,
    help="Id of the report that the person has read. Default: the last one about the generation.",
)
@click.option("--reason", required=True, help="Reason of the decision, for the trail.")
@click.option("--by", "changed_by", required=True, help="Name of the person who approves.")
@json_option
@configured
def approve_command(
    configuration: Configuration,
    generation_id: int,
    *,
    report_id: int | None,
    reason: str,
    changed_by: str,
    as_json: bool,
) -> None:
    """Approve the candidate ID. The approval refers to the last report of the gate about it.

    With the setting `approval: required`, a promotion needs an approval. A newer report makes the
    approval void.

    After a forced promotion in a collection without a golden set, give the id of the live
    generation as ID. The approval of a later report ends the alarm `promotion_forced`.
    """
    from ragline.lifecycle.approvals import approve_generation
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        decision = _decide(changed_by, reason)
        approval = approve_generation(database, generation_id, decision, report_id)
    if as_json:
        print_json(approval)
    else:
        click.echo(
            f"{approval.approved_by} approved generation {generation_id} on gate report "
            f"{approval.report_id}"
        )


@generation.command("rollback")
@click.argument("collection")
@decision_options
@json_option
@configured
def rollback_command(
    configuration: Configuration,
    collection: str,
    *,
    reason: str | None,
    changed_by: str | None,
    as_json: bool,
) -> None:
    """Return to the generation and the search settings of the previous release of COLLECTION.

    The next search uses this generation and these settings. If only the settings changed last, the
    live generation stays live. No sync promotes the replaced generation or releases the replaced
    settings. Only an operator can do this, with `ragline generation promote`.
    """
    from ragline.lifecycle.generation_decisions import roll_back
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        promotion = roll_back(database, collection, _decide(changed_by, reason))
    _report_promotion(promotion, as_json=as_json)


@generation.command("refuse")
@click.argument("generation_id", metavar="ID", type=GENERATION_ID)
@click.option("--reason", required=True, help="Reason of the decision, for the trail.")
@click.option(
    "--by",
    "changed_by",
    help="Name of the person who decides, for the trail. Default: the user of the operating "
    "system.",
)
@json_option
@configured
def refuse_command(
    configuration: Configuration,
    generation_id: int,
    *,
    reason: str,
    changed_by: str | None,
    as_json: bool,
) -> None:
    """Refuse the candidate ID and delete its entries. No sync builds it again."""
    from ragline.lifecycle.generation_decisions import refuse_generation
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        refuse_generation(database, generation_id, _decide(changed_by, reason))
    _report_end(generation_id, "refused", as_json=as_json)


@generation.command("drop")
@click.argument("generation_id", metavar="ID", type=GENERATION_ID)
@decision_options
@json_option
@configured
def drop_command(
    configuration: Configuration,
    generation_id: int,
    *,
    reason: str | None,
    changed_by: str | None,
    as_json: bool,
) -> None:
    """Delete the entries of the generation ID. The live generation cannot be dropped."""
    from ragline.lifecycle.generation_decisions import drop_by_decision
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        drop_by_decision(database, configuration, generation_id, _decide(changed_by, reason))
    _report_end(generation_id, "dropped", as_json=as_json)


def promote_target(
    database: Database, configuration: Configuration, target: str, decision: Decision
) -> Promotion:
    """Promote the generation with the id `target`, or the candidate of the collection `target`.

    Raises:
        UsageError: `target` is both the name of a collection and the id of a generation.
    """
    from ragline.lifecycle.generation_decisions import promote_by_id, promote_candidate
    from ragline.lifecycle.generation_records import check_collection, find_record

    if not target.isdecimal():
        return promote_candidate(database, configuration, target, decision)
    if not _exists(database, check_collection, target):
        generation_id = GENERATION_ID.convert(int(target), None, None)
        return promote_by_id(database, configuration, generation_id, decision)
    if int(target) <= MAX_ROW_ID and _exists(database, find_record, int(target)):
        raise click.UsageError(
            f"{target} is the name of a collection and also the id of a generation; for the "
            f"generation, write 0{target}; for the candidate of the collection, write its id, "
            f"which `ragline generation list {target}` shows"
        )
    return promote_candidate(database, configuration, target, decision)


def _exists(database: Database, find: Callable[[Connection, Any], object], key: int | str) -> bool:
    """Return whether `find` finds the collection or the generation `key`."""
    with database.connect() as connection:
        try:
            find(connection, key)
        except (UnknownCollectionError, UnknownGenerationError):
            return False
    return True


def _decide(changed_by: str | None, reason: str | None) -> Decision:
    from ragline.lifecycle.generation_decisions import Decision

    return Decision(changed_by or getpass.getuser(), reason)


def _report_promotion(promotion: Promotion, *, as_json: bool) -> None:
    if as_json:
        print_json(promotion)
    else:
        print_promotion(promotion)


def _report_end(generation_id: int, state: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"generation": generation_id, "state": state})
    else:
        click.echo(f"generation {generation_id} is {state}")
