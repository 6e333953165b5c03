"""The documentation says what is so: names, settings and commands that exist."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click
import pytest
import yaml

import ragline.errors
from ragline.commands import ragline as command_line
from ragline.configuration import CollectionSettings, load_configuration

REPOSITORY = Path(__file__).parent.parent.parent
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
PAGES += [REPOSITORY / "benchmarks" / "README.md"]


def shown_commands() -> list[tuple[str, str]]:
    """Every `ragline …` line of a code block, with the page that shows it."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            joined = block.replace("\\\n", " ")
            lines = re.findall(r"(?:^|[ /])ragline ([a-z].*)$", joined, re.MULTILINE)
            found += [(page.name, line.partition("#")[0].strip()) for line in lines]
    return found


def test_every_error_is_listed_by_name():
    page = (REPOSITORY / "docs" / "errors.md").read_text(encoding="utf-8")
    errors = {
        name
        for name, thing in vars(ragline.errors).items()
        if inspect.isclass(thing) and issubclass(thing, ragline.errors.RaglineError)
    }
    assert set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == errors


def test_the_shown_configuration_loads(tmp_path):
    page = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "ragline.yaml"
    path.write_text(shown, encoding="utf-8")
    configuration = load_configuration(path)
    stated = yaml.safe_load(shown)["collections"][0].keys()
    assert stated == CollectionSettings.model_fields.keys()
    assert {source.kind for source in configuration.sources} == {"files", "records"}


@pytest.mark.parametrize(("page", "line"), shown_commands())
def test_shown_command_exists_with_its_options(page, line):
    name, *rest = line.split()
    command = command_line.get_command(click.Context(command_line), name)
    assert command is not None, f"{page}: ragline {line}"
    known = {option for parameter in command.params for option in parameter.opts}
    options = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert options <= known, f"{page}: ragline {line}"


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
