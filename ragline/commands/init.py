"""`ragline init`: writes a first configuration file, for a folder or from a template."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from ragline.commands import json_option, print_json
from ragline.errors import ConfigurationError, FileNotWrittenError
from ragline.templates.catalog import TEMPLATES, write_template

TEMPLATE_HELP = "Template to write, with sample documents. " + " ".join(
    f"`{name}`: {template.summary}." for name, template in TEMPLATES.items()
)


@dataclass(frozen=True, slots=True)
class WrittenSource:
    """A source in the new configuration. `holds` describes its documents in words."""

    name: str
    kind: str
    holds: str


@click.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--template",
    metavar="NAME",
    type=click.Choice(tuple(TEMPLATES)),
    help=f"{TEMPLATE_HELP} No file is overwritten.",
)
@click.option("--force", is_flag=True, help="Replace an existing ragline.yaml.")
@json_option
def init(folder: Path, *, template: str | None, force: bool, as_json: bool) -> None:
    """Write a first ragline.yaml into FOLDER, by default the current folder.

    Without --template, one source reads the documents. If the folder has a Git repository with
    documents, this source reads its commits. Otherwise it reads the files of the folder. Each file
    of JSON lines gets its own source. The command indexes nothing.
    """
    if template is None:
        _init_folder(folder, force=force, as_json=as_json)
    elif force:
        raise click.UsageError("--template overwrites no file; leave out --force")
    else:
        _init_template(template, folder, as_json=as_json)


def _init_folder(folder: Path, *, force: bool, as_json: bool) -> None:
    from ragline.configuration.first_configuration import propose_configuration

    path = folder.absolute() / "ragline.yaml"
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {folder.absolute()}; create it first")
    if path.exists() and not force:
        raise ConfigurationError(f"{path} exists; edit it, or replace it with --force")
    proposed = propose_configuration(folder)
    _replace(path, proposed.text)
    sources = [WrittenSource(source.name, source.kind, source.holds) for source in proposed.sources]
    option = "" if path.parent == Path.cwd() else f" --config {shlex.quote(str(path))}"
    _report(
        [path],
        proposed.collection,
        sources,
        [
            f"ragline check{option}",
            f"ragline sync{option}",
            f'ragline search{option} {proposed.collection} "a question"',
        ],
        as_json=as_json,
    )


def _init_template(name: str, folder: Path, *, as_json: bool) -> None:
    from ragline.configuration import load_configuration

    template = TEMPLATES[name]
    paths = write_template(name, folder.absolute())
    configuration = load_configuration(paths[0])
    sources = [
        WrittenSource(source.name, source.kind, template.sample) for source in configuration.sources
    ]
    collection = configuration.collections[0].name
    is_here = paths[0].parent == Path.cwd()
    commands = [
        *([] if is_here else [f"cd {shlex.quote(str(folder))}"]),
        *template.first_steps,
        "ragline check",
        "ragline sync",
        f'ragline search {collection} "{template.question}"',
    ]
    _report(paths, collection, sources, commands, as_json=as_json)


def _report(
    paths: Sequence[Path],
    collection: str,
    sources: Sequence[WrittenSource],
    commands: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Print the written files and the commands to run next. The first path is the configuration."""
    if as_json:
        print_json(
            {
                "path": paths[0],
                "collection": collection,
                "sources": [asdict(source) for source in sources],
            }
        )
        return
    for written in paths:
        click.echo(f"wrote {written}")
    for source in sources:
        click.echo(f"  {source.name} ({source.kind}): {source.holds}")
    click.echo("next:\n  " + "\n  ".join(commands))


def _replace(path: Path, text: str) -> None:
    """Replace the file in one step. After an error, the old file is unchanged."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise FileNotWrittenError(f"{path} could not be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
