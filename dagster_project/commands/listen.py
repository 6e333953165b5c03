"""`ragline listen`: makes changes searchable as soon as it is notified of them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from ragline.commands import configured

if TYPE_CHECKING:
    from ragline.configuration import Configuration


@click.command()
@configured
def listen(configuration: Configuration) -> None:
    """Make changes searchable as soon as they are signalled, until SIGINT or SIGTERM.

    The command waits for signals, for example for pushed documents. It indexes the changed
    documents within a second, and then syncs their source in a Dagster run. `ragline dev` runs this
    command. In other deployments, run it next to the Dagster daemon. Without it, the sensors find
    the changes some seconds later.
    """
    from dagster_project.change_listener import open_listener
    from dagster_project.processes import StopRequested, stop_on_signals

    stop_on_signals()
    try:
        with open_listener(configuration, _show) as listener:
            listener.run()
    except StopRequested:
        click.echo("stopped", err=True)


def _show(line: str) -> None:
    """Print a line. A closed output or a full disk must not end the process."""
    with suppress(OSError):
        click.echo(line, err=True)
