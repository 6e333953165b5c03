"""`ragline generation canary`: compares the searches of the canary with all other searches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ragline.commands import configured, json_option, print_json
from ragline.counts import count

if TYPE_CHECKING:
    from ragline.configuration import Configuration
    from ragline.rollout.canary_report import CanaryReport
    from ragline.rollout.online_figures import FigureComparison


@click.command("canary")
@click.argument("collection")
@json_option
@configured
def canary(configuration: Configuration, collection: str, *, as_json: bool) -> None:
    """Compare the searches of COLLECTION's canary with the searches of all other callers."""
    settings = configuration.collection(collection)
    from ragline.rollout.canary_report import compare_canary
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        report = compare_canary(database, settings)
    if as_json:
        print_json(report)
        return
    for line in describe_canary(report):
        click.echo(line)


def describe_canary(report: CanaryReport) -> list[str]:
    """Describe a report, one line for the searches and one for each figure."""
    subject = f"{report.collection}: generation {report.candidate}"
    if report.since is None:
        lack = "has answered no search of the canary yet"
        return [f"{subject} {lack}; rollout.canary_share is the share of the callers in it"]
    time = report.since.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    head = (
        f"{subject} since {time}: {count(report.canary_searches, 'search', 'searches')} of "
        f"{count(report.canary_clients, 'client')} in the canary, {report.failures} of them "
        f"answered by the live generation after a failure; "
        f"{count(report.other_searches, 'other search', 'other searches')} of "
        f"{count(report.other_clients, 'client')}"
    )
    return [head, *(f"  {_describe_figure(figure)}" for figure in report.figures)]


def _describe_figure(figure: FigureComparison) -> str:
    found = figure.shares
    if found is None:
        return f"{figure.name}: not decided, too few searches"
    return (
        f"{figure.name}: {found.new_share:.1%} instead of {found.reference_share:.1%}, difference "
        f"{found.difference:+.1%} ({found.low:+.1%} to {found.high:+.1%}), p = {found.p_value:.3f}"
    )
