"""`ragline plan`: shows what a build of an index would do, without doing it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from ragline.command_line.text_output import format_age, open_console, print_fields, print_indented
from ragline.commands import configured, json_option, print_json
from ragline.counts import count

if TYPE_CHECKING:
    from rich.console import Console

    from ragline.configuration import Configuration
    from ragline.lifecycle.build_plan import BuildPlan
    from ragline.lifecycle.plan_cost import PlannedDisk, PlannedStep, PlannedTime
    from ragline.lifecycle.plan_work import PlannedWork

RESULTS = {
    "none": "nothing to build: the live generation has these settings",
    "first_build": "the first generation is built; searches have no index until it is complete",
    "build": "a second generation is built; the live one serves searches",
    "continue": "the build of generation {generation} is continued",
    "promote": "generation {generation} has these settings; it is complete, and not live yet",
    "use_again": "generation {generation} has these settings; it was live and becomes live again",
}
UNITS = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"), (1, "bytes"))


@click.command()
@click.argument("collection", required=False)
@json_option
@configured
def plan(configuration: Configuration, collection: str | None, *, as_json: bool) -> None:
    """Show what a build of COLLECTION, or of each collection, would do. Nothing is done.

    The plan compares the settings with those of the live generation. It counts what must be made
    and what is used again, and estimates the time and the disk space. To measure the rate, it
    embeds some texts, which takes about two seconds. It writes nothing to the database. The exit
    status is 2 if settings are refused.
    """
    names = [one.name for one in configuration.collections]
    if collection is not None:
        names = [configuration.collection(collection).name]
    plans = _plan(configuration, names)
    if as_json:
        print_json({"collections": plans})
    else:
        for one in plans:
            _print_plan(one, open_console())
    sys.exit(2 if any(one.prevented_by for one in plans) else 0)


def _plan(configuration: Configuration, names: list[str]) -> list[BuildPlan]:
    from ragline.lifecycle.build_plan import plan_build, plan_first_build
    from ragline.lifecycle.run_context import RunContext
    from ragline.storage.existing_database import open_existing_database

    with open_existing_database(configuration) as database:
        if database is None:
            return [plan_first_build(configuration, name) for name in names]
        with RunContext(configuration, database, "plan") as run_context:
            return [plan_build(run_context, name) for name in names]


def _print_plan(plan: BuildPlan, console: Console) -> None:
    console.print(f"[bold]collection {plan.collection}[/bold]")
    print_fields(console, [(label, escape(text)) for label, text in _list_fields(plan)])
    for warning in _list_warnings(plan):
        print_indented(console, f"[yellow]warning[/yellow]: {escape(warning)}", 2)
    for reason in plan.prevented_by:
        print_indented(console, f"[red]prevented[/red]: {escape(reason)}", 2)


def _list_fields(plan: BuildPlan) -> list[tuple[str, str]]:
    fields = [("result", RESULTS[plan.action].format(generation=plan.generation))]
    if plan.live_generation is not None:
        fields.append(("live", f"generation {plan.live_generation}; searches use it"))
    labels = ["changes"] + [""] * len(plan.changes)
    for label, change in zip(labels, plan.changes, strict=False):
        fields.append((label, f"{change.setting}: {_show(change.old)} -> {_show(change.new)}"))
    if plan.work is not None:
        fields += _describe_work(plan.work)
    if plan.disk is not None:
        fields.append(("disk", _describe_disk(plan.disk)))
    if plan.time is not None and plan.time.steps:
        fields.append(("time", _describe_time(plan.time)))
        fields += [("", _describe_step(step)) for step in plan.time.steps]
    if plan.command is not None:
        fields.append(("next", plan.command))
    return fields


def _describe_work(work: PlannedWork) -> list[tuple[str, str]]:
    about = "about " if work.is_estimate else ""
    parses = f"{count(work.parses_reused, 'stored parse')} used again"
    chunks = f"{_number(about, work.chunks_to_make)} to make; {work.chunks_reused:,} used again"
    made = f"{_number(about, work.embeddings_to_make)} to make"
    tokens = f"{_number(about, work.tokens)} tokens"
    reused = f"{_number(about, work.embeddings_reused)} used again"
    fields = [
        ("documents", f"{work.documents:,} to write; {parses}"),
        ("chunks", chunks),
        ("embeddings", f"{made}, {tokens}; {reused}"),
    ]
    if work.estimated_from is not None:
        fields.append(("", f"estimated from {work.estimated_from}"))
    return fields


def _number(about: str, number: int | None) -> str:
    return "an unknown number" if number is None else f"{about}{number:,}"


def _describe_time(time: PlannedTime) -> str:
    text = f"about {format_age(time.seconds)} for one process"
    if time.not_included:
        text += f"; not included, because no rate is known: {', '.join(time.not_included)}"
    return text


def _describe_step(step: PlannedStep) -> str:
    if step.per_second is None or step.seconds is None:
        return f"{step.step}: {step.rate_from}"
    rate = f"{step.per_second:,.0f} {step.unit} a second"
    return f"{step.step}: {format_age(step.seconds)} at {rate}, {step.rate_from}"


def _describe_disk(disk: PlannedDisk) -> str:
    needed = "unknown" if disk.needed_bytes is None else f"about {_size(disk.needed_bytes)}"
    if disk.vector_index_bytes:
        needed += f", {_size(disk.vector_index_bytes)} of it for the vector index"
    text = f"{_size(disk.live_bytes)} for the live index; needed in addition: {needed}"
    return text if disk.free_bytes is None else f"{text}; free: {_size(disk.free_bytes)}"


def _size(number: int) -> str:
    size, unit = next((one for one in UNITS if number >= one[0]), UNITS[-1])
    return f"{number / size:,.1f} {unit}" if size > 1 else f"{number} {unit}"


def _show(value: object) -> str:
    return "none" if value is None else repr(value) if value == "" else str(value)


def _list_warnings(plan: BuildPlan) -> list[str]:
    warnings = list(plan.warnings)
    if plan.unlisted_sources:
        names = ", ".join(plan.unlisted_sources)
        warnings.append(f"not listed yet, so their documents are in no figure: {names}")
    if plan.work is not None and plan.work.unread_documents:
        unread = count(plan.work.unread_documents, "document")
        warnings.append(f"{unread} not read yet; they are in no figure")
    others = plan.abandoned_generations
    return warnings + [
        f"the next run abandons generation {one}, because it has other settings" for one in others
    ]
