"""The documentation names settings, commands, endpoints and checks that exist."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import ragline.errors
from dagster_project.definitions import build_definitions
from ragline.commands import SUMMARIES
from ragline.commands import ragline as command_line
from ragline.configuration import CollectionSettings, RetentionSettings, load_configuration
from ragline.sources.registry import KINDS
from ragline.sources.settings import SourceSettings, read_duration
from retrieval_api.app import build_app

REPOSITORY = Path(__file__).parent.parent.parent
DOCS = REPOSITORY / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("0*.md"))
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
PAGES += [REPOSITORY / "benchmarks" / "README.md", *DECISIONS]
EXAMPLE = REPOSITORY / "examples" / "ragline.yaml"
DECISION_PARTS = ["**Context.**", "**Choice.**", "**What would change our mind.**"]


def read_page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def read_rows(page: str, header: str) -> list[list[str]]:
    """The cells of each row of the table whose first line begins with `| header |`."""
    _, _, table = page.partition(f"| {header} |")
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def shown_commands() -> list[tuple[str, str]]:
    """Every call of `ragline` in a code block or a sentence, with the page that shows it."""
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        lines = re.findall(r"[^`]`ragline\s([a-z][^`]*)`", text)
        for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL):
            joined = block.replace("\\\n", " ")
            lines += re.findall(r"(?:^|[ /])ragline ([a-z].*)$", joined, re.MULTILINE)
        found += [(page.name, " ".join(line.partition("#")[0].split())) for line in lines]
    return found


def test_every_error_is_listed_by_name():
    errors = {
        f"`{name}`": (thing.__doc__ or "").splitlines()[0]
        for name, thing in vars(ragline.errors).items()
        if inspect.isclass(thing) and issubclass(thing, ragline.errors.RaglineError)
    }
    assert dict(read_rows(read_page("errors.md"), "name")) == errors


@pytest.fixture
def shown(tmp_path):
    """The configuration that the page shows: as written, and as loaded."""
    (text,) = re.findall(r"```yaml\n(.*?)```", read_page("configuration.md"), re.DOTALL)
    path = tmp_path / "ragline.yaml"
    path.write_text(text, encoding="utf-8")
    return yaml.safe_load(text), load_configuration(path)


def test_the_shown_configuration_states_every_setting(shown):
    stated, configuration = shown
    assert stated["collections"][0].keys() == CollectionSettings.model_fields.keys()
    assert stated["sources"][0].keys() >= SourceSettings.model_fields.keys()
    assert stated["retention"].keys() == RetentionSettings.model_fields.keys()
    assert configuration.retention == RetentionSettings()


def test_a_rule_of_the_shown_configuration_replaces_the_readers(shown):
    _, configuration = shown
    files, _ = configuration.sources
    rules = [rule for rule in files.rules if rule.matches("public/hours.pdf")]
    assert [rule.principals for rule in rules] == [("group:staff", "group:visitors"), None]


def flatten(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting below a model, by the name that the tables show."""
    for name, field in model.model_fields.items():
        if inspect.isclass(field.annotation) and issubclass(field.annotation, BaseModel):
            yield from flatten(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def states_default(shown: str, field: FieldInfo) -> bool:
    """Whether a cell of the column `default` states the default of the setting."""
    if not shown:
        return field.is_required()
    default: Any = field.get_default(call_default_factory=True)
    if shown == "none":
        return default is None or len(default) == 0
    if re.fullmatch(r"(\d+[smhd])+", shown):
        return bool(read_duration(shown) == default)
    if re.fullmatch(r"[\d.,]+", shown):
        return float(shown.replace(",", "")) == default
    return shown == f"`{default}`"


@pytest.mark.parametrize(
    ("header", "model"),
    [
        ("collection setting", CollectionSettings),
        ("source setting", SourceSettings),
        ("retention setting", RetentionSettings),
    ],
)
def test_every_setting_is_listed_with_its_default(header, model):
    table = read_rows(read_page("configuration.md"), header)
    rows = {name.strip("`"): default for name, default, _ in table}
    fields = dict(flatten(model))
    if model is CollectionSettings:
        del fields["name"]
    assert rows.keys() == fields.keys()
    assert [name for name, shown in rows.items() if not states_default(shown, fields[name])] == []


def test_every_kind_of_source_is_named():
    assert set(re.findall(r"^## (\w+)$", read_page("sources.md"), re.MULTILINE)) == KINDS.keys()


def find_command(words: list[str]) -> tuple[click.Command | None, list[str]]:
    """The command that a line calls, also in a group, and the words after its name."""
    command: click.Command | None = command_line
    while isinstance(command, click.Group) and words:
        command, words = command.get_command(click.Context(command), words[0]), words[1:]
    return command, words


def list_commands(group: click.Group) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (f"{name} {inner}" for inner in list_commands(command))
        else:
            yield name


def test_every_command_is_shown():
    shown = [line for page, line in shown_commands() if page == "commands.md"]
    missing = [
        name
        for name in list_commands(command_line)
        if not any(f"{line} ".startswith(f"{name} ") for line in shown)
    ]
    assert missing == []
    assert set(command_line.list_commands(click.Context(command_line))) == SUMMARIES.keys()


@pytest.mark.parametrize(("page", "line"), shown_commands())
def test_shown_command_exists_with_its_options(page, line):
    command, rest = find_command(line.split())
    assert command is not None, f"{page}: ragline {line}"
    assert not isinstance(command, click.Group), f"{page}: ragline {line}"
    known = {option for parameter in command.params for option in parameter.opts}
    options = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert options <= known, f"{page}: ragline {line}"


def name_endpoint(text: str) -> str:
    """A method with its path, without the names of parameters."""
    return re.sub(r"\{[^}]*\}", "{}", text)


def test_every_endpoint_is_listed():
    paths = build_app(load_configuration(EXAMPLE)).openapi()["paths"]
    served = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    listed = " ".join(row[0] for row in read_rows(read_page("api.md"), "endpoint"))
    named = set(map(name_endpoint, re.findall(r"`([A-Z]+ /[^`]*)`", listed)))
    # The OpenAPI document contains neither its own page nor MCP.
    assert named == {*map(name_endpoint, served), "GET /docs", "POST /mcp"}


@pytest.fixture(scope="module")
def definitions():
    return build_definitions(load_configuration(EXAMPLE))


def test_every_sensor_and_schedule_is_listed(definitions):
    rows = [row[0] for row in read_rows(read_page("operating.md"), "name")]
    named = {
        name.replace("<source>", "pep_files") for row in rows for name in re.findall(r"`(.*)`", row)
    }
    sensors = {sensor.name for sensor in definitions.sensors or ()}
    schedules = {schedule.name for schedule in definitions.schedules or ()}
    others = {"handbook_files_changes", "glossary_changes"}
    assert named == (sensors | schedules) - others


def test_checks_of_the_table_of_symptoms_exist(definitions):
    graph = definitions.get_repository_def().asset_graph
    known = {key.name for key in graph.asset_check_keys}
    seen = [row[1] for row in read_rows(read_page("operating.md"), "symptom")]
    named = [
        name for cell in seen if cell.startswith("check") for name in re.findall(r"`(\w+)`", cell)
    ]
    assert named
    assert set(named) <= known


def test_every_dependency_has_its_licence_and_reason():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    required = [*project["dependencies"], *chain.from_iterable(extras)]
    packages = {re.match(r"[\w-]+", requirement)[0] for requirement in required}
    page = (DOCS / "decisions" / "0004-dependencies.md").read_text("utf-8")
    listed = {name for row in read_rows(page, "package") for name in re.findall(r"[\w-]+", row[0])}
    assert packages - listed == set()


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem[:4])
def test_decision_has_its_number_and_parts(path):
    page = path.read_text("utf-8")
    assert page.startswith(f"# {int(path.stem[:4])}. ")
    positions = [page.find(part) for part in DECISION_PARTS]
    assert -1 not in positions
    assert positions == sorted(positions)
