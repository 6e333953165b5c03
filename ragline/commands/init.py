"""`ragline init`: a first configuration file, from what lies in a folder."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from ragline.commands import json_option, print_json
from ragline.errors import ConfigurationError, FileNotWrittenError


@click.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--force", is_flag=True, help="Replace a ragline.yaml that is there.")
@json_option
def init(folder: Path, *, force: bool, as_json: bool) -> None:
    """Write a first ragline.yaml into FOLDER, or here, for the documents that lie there.

    Finds files of documents, a Git repository and files of JSON lines. Nothing is indexed.
    """
    from ragline.configuration.proposal import propose_configuration

    path = folder.absolute() / "ragline.yaml"
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {folder.absolute()}; create it first")
    if path.exists() and not force:
        raise ConfigurationError(f"{path} exists; edit it, or replace it with --force")
    proposed = propose_configuration(folder)
    _write(path, proposed.text)
    sources = [
        {"name": source.name, "kind": source.kind, "holds": source.holds}
        for source in proposed.sources
    ]
    if as_json:
        print_json({"path": path, "collection": proposed.collection, "sources": sources})
        return
    click.echo(f"wrote {path}")
    for source in proposed.sources:
        click.echo(f"  {source.name} ({source.kind}): {source.holds}")
    option = "" if folder.absolute() == Path.cwd() else f" --config {shlex.quote(str(path))}"
    click.echo(
        f"next:\n  ragline check{option}\n  ragline sync{option}\n"
        f'  ragline search{option} {proposed.collection} "a question"'
    )


def _write(path: Path, text: str) -> None:
    """Write the file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise FileNotWrittenError(f"{path} could not be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
