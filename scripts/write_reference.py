"""Writes the parts of docs/ that repeat the code: settings, commands, endpoints, metrics, errors.

A page marks each part by two comments, `<!-- reference: NAME -->` and `<!-- end of reference -->`.
The text between them is replaced. `make reference` writes the pages, and a contract test compares
them with the code.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from permitted_requests import list_limited, list_permitted
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import ragline.errors
from ragline.commands import ragline as command_line
from ragline.configuration import CollectionSettings, RetentionSettings, load_configuration
from ragline.parsing.formats import FORMATS
from ragline.sources.registry import KINDS, Kind
from ragline.sources.settings import SourceSettings
from retrieval_api.app import build_app
from retrieval_api.observation.metrics import ServiceMetrics
from retrieval_api.observation.pipeline_metrics import GAUGES
from retrieval_api.records.recorder import Recorder

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
EXAMPLE = REPOSITORY / "examples" / "ragline.yaml"
PART = re.compile(r"(<!-- reference: (.+?) -->\n).*?(<!-- end of reference -->)", re.DOTALL)
UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def main() -> None:
    """Write every page that has such a part."""
    for path in DOCS.rglob("*.md"):
        text = path.read_text("utf-8")
        if (rewritten := rewrite(text)) != text:
            path.write_text(rewritten, "utf-8")


def rewrite(page: str) -> str:
    """Return a page in which the content of each part is written again."""
    return PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]().strip()}\n\n{part[3]}", page)


def write_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Write a table in Markdown. A line end in a cell becomes a space."""
    lines = [header, tuple("---" for _ in header), *rows]
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells).replace("|  |", "| |")


# Settings


def write_settings(model: type[BaseModel], name: str, without: Iterable[str] = ()) -> str:
    """Write a table of a model's settings. A nested setting is named by its path."""
    fields = [(path, field) for path, field in flatten(model) if path not in set(without)]
    rows = [(f"`{path}`", show_default(field), field.description or "") for path, field in fields]
    return write_table((f"{name} setting", "default", "meaning"), rows)


def flatten(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield the path and the field of each setting."""
    for name, field in model.model_fields.items():
        if inspect.isclass(field.annotation) and issubclass(field.annotation, BaseModel):
            yield from flatten(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def show_default(field: FieldInfo) -> str:
    """Return a default as it is written in YAML. It is empty for a required setting."""
    return "" if field.is_required() else show_value(field.get_default(call_default_factory=True))


def show_value(value: Any) -> str:
    """Return a value as it is written in YAML. `VERSION` replaces the version of Ragline."""
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case timedelta():
            return show_duration(int(value.total_seconds()))
        case int() | float():
            return f"{value:,}".removesuffix(".0")
        case str():
            return f"`{value}`".replace(version("ragline"), "VERSION")
        case tuple():
            return ", ".join(f"`{item}`" for item in value) or "none"
        case _:
            return f"`{value}`" if value else "none"


def show_duration(seconds: int) -> str:
    """Return a duration in its largest whole unit."""
    unit, size = next((unit, size) for unit, size in UNITS if seconds % size == 0)
    return f"{seconds // size}{unit}"


def write_kind(kind: str) -> str:
    """Write the settings that a kind of source adds to those of every source."""
    return write_settings(KINDS[kind].settings, kind, SourceSettings.model_fields)


def list_kinds() -> list[str]:
    """List the kinds that have settings in addition to those of every source."""
    common = SourceSettings.model_fields
    return [name for name, kind in KINDS.items() if kind.settings.model_fields.keys() - common]


def write_kinds() -> str:
    """Write a table of the kinds of sources: their documents, and how the stages use them."""
    rows = [
        (f"`{name}`", _describe_kind(name), *_describe_use(kind)) for name, kind in KINDS.items()
    ]
    return write_table(("kind", "documents", "a sync proof lists it", "a run starts"), rows)


def _describe_kind(kind: str) -> str:
    """Return what the docstring of the kind's package says about its documents."""
    first_line = (import_module(f"ragline.sources.{kind}").__doc__ or "").partition("\n")[0]
    return first_line.partition(": ")[2].rstrip(".")


def _describe_use(kind: Kind) -> tuple[str, str]:
    proof = "after each run and every hour" if kind.is_listed_cheaply else "once a day"
    found = "each night, and after a probe found a change"
    if kind.is_probe_complete:
        return proof, found
    return proof, f"{found}; without a change, before the shorter limit has passed"


# Commands


def write_commands() -> str:
    """Write each command with its usage and options."""
    return "\n".join(_write_command(path, command) for path, command in list_commands(command_line))


def list_commands(group: click.Group, prefix: str = "ragline") -> Iterator[tuple[str, Any]]:
    """Yield the commands of a group and of its subgroups, each with the words that a user types."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from list_commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _write_command(path: str, command: click.Command) -> str:
    usage = " ".join(command.collect_usage_pieces(click.Context(command)))
    options = [
        (f"`{_name_option(option)}`", option.help or "")
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    ]
    table = write_table(("option", "meaning"), options) if options else ""
    description = inspect.cleandoc(command.help or "")
    return f"### {path}\n\n{description}\n\n```text\n{path} {usage}\n```\n\n{table}"


def _name_option(option: click.Option) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    return (
        names if option.is_flag else f"{names} {option.make_metavar(click.Context(command_line))}"
    )


# Endpoints


def write_endpoints() -> str:
    """Write each endpoint with its parameters, the fields of both bodies, and its problems."""
    document = build_app(load_configuration(EXAMPLE)).openapi()
    schemas = document["components"]["schemas"]
    parts = [
        _write_endpoint(f"{method.upper()} {path}", operation, schemas)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return "\n".join([*parts, *_write_schemas(document)])


def _write_endpoint(name: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    parts = [f"## {name}\n\n{operation['summary']}.\n\n{operation.get('description', '')}\n"]
    if parameters := operation.get("parameters"):
        rows = [
            (
                f"`{one['name']}`",
                one["in"],
                _find_description(one) or _find_description(one["schema"]),
            )
            for one in parameters
        ]
        parts.append(write_table(("parameter", "in", "meaning"), rows))
    bodies = _list_bodies(operation.get("requestBody", {}))
    parts += [f"Body:\n\n{_write_fields(schemas[schema])}" for schema in bodies]
    answers = [
        (status, " ".join(_link(one) for one in _list_bodies(answer)) or answer["description"])
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    ]
    problems = [
        f"{status} ({answer['description']})"
        for status, answer in operation["responses"].items()
        if not status.startswith("2")
    ]
    parts += [f"Answer: {', '.join(f'{status} {what}' for status, what in answers)}.\n"]
    if problems:
        parts.append(f"Problems: {'; '.join(problems)}.\n")
    return "\n".join(parts)


def _list_bodies(holder: dict[str, Any]) -> list[str]:
    """Return the names of the schemas of a body."""
    contents = holder.get("content", {}).values()
    return [name for content in contents for name in _find_schemas(content.get("schema", {}))]


def _find_schemas(schema: Any) -> list[str]:
    """Return the names of all schemas to which a schema refers directly, each once."""
    return list(dict.fromkeys(re.findall(r"#/components/schemas/(\w+)", str(schema))))


def _link(name: str) -> str:
    return "any JSON value" if name == "JsonValue" else f"[{name}](#{name.lower()})"


def _write_fields(schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (
            f"`{name}`",
            _describe_type(field),
            "required" if name in required else _show_json(field.get("default")),
            _find_description(field),
        )
        for name, field in schema.get("properties", {}).items()
    ]
    return write_table(("field", "type", "default", "meaning"), rows)


def _find_description(field: dict[str, Any]) -> str:
    """Return the description of a field, or of the first of its types that has one."""
    types = (one.get("description", "") for one in field.get("anyOf", ()))
    return field.get("description") or next(filter(None, types), "")


def _show_json(value: Any) -> str:
    if value is None:
        return "none"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def _describe_type(field: dict[str, Any]) -> str:
    if choices := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_describe_type, choices)))
    if "$ref" in field:
        return _link(_find_schemas(field)[0])
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field.get("type") == "array":
        return f"list of {_describe_type(field.get('items', {}))}"
    return str(field.get("type", "any"))


def _write_schemas(document: dict[str, Any]) -> Iterator[str]:
    """Write the objects that are parts of answers, in the order of their names."""
    schemas = document["components"]["schemas"]
    for name in sorted(_reach(document["paths"], schemas)):
        description = schemas[name].get("description", "")
        yield f"## {name}\n\n{description}\n\n{_write_fields(schemas[name])}"


def _reach(paths: dict[str, Any], schemas: dict[str, Any]) -> set[str]:
    """Return the names of the schemas that have fields.

    A body of a request is left out, unless another schema refers to it.
    """
    bodies = {
        name
        for methods in paths.values()
        for operation in methods.values()
        for name in _list_bodies(operation.get("requestBody", {}))
    }
    referred = {name for schema in schemas.values() for name in _find_schemas(schema)}
    return {
        name
        for name, schema in schemas.items()
        if "properties" in schema and (name not in bodies or name in referred)
    }


def write_scopes() -> str:
    """Write the requests that each scope permits: those of the API, and those of the page."""
    rows = [
        (f"`{scope}`", *(", ".join(f"`{name}`" for name in names) for names in requests))
        for scope, *requests in list_permitted()
    ]
    return write_table(("scope", "requests of the API", "requests of the page"), rows)


def write_limited() -> str:
    """Write the paths to which the load limit applies, as a list."""
    return "".join(f"- `{path}`\n" for path in list_limited())


# Metrics and errors


def write_metrics() -> str:
    """Write each metric of `GET /metrics` with its type and labels."""
    registry = ServiceMetrics(Recorder(), lambda: None).registry
    labels = {name: names for name, _, names in GAUGES}
    # The registry has no other list of its collectors.
    for collector, names in registry._collector_to_names.items():  # noqa: SLF001
        labels.update(dict.fromkeys(names, getattr(collector, "_labelnames", ())))
    rows = []
    for family in registry.collect():
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        known = labels.get(family.name) or tuple(family.samples[0].labels if family.samples else ())
        shown = ", ".join(f"`{label}`" for label in known)
        rows.append((f"`{family.name}{suffix}`", family.type, shown, family.documentation))
    return write_table(("metric", "type", "labels", "meaning"), rows)


def write_errors() -> str:
    """Write each error with the first line of its docstring, in the order of the module."""
    rows = [
        (f"`{name}`", (thing.__doc__ or "").splitlines()[0])
        for name, thing in vars(ragline.errors).items()
        if inspect.isclass(thing) and issubclass(thing, ragline.errors.RaglineError)
    ]
    return write_table(("name", "meaning and what to do"), rows)


def write_formats() -> str:
    """Write each format with its suffixes and media type."""
    rows = [
        (one.label, ", ".join(f"`{suffix}`" for suffix in one.suffixes), f"`{one.media_type}`")
        for one in FORMATS.values()
    ]
    return write_table(("format", "file names", "media type"), rows)


def write_decisions() -> str:
    """Write a table of the decision records, with number and title."""
    rows = []
    for path in sorted((DOCS / "decisions").glob("0*.md")):
        number, _, title = path.read_text("utf-8").partition("\n")[0][2:].partition(". ")
        rows.append((number, f"[{title}]({path.name})"))
    return write_table(("number", "decision"), rows)


PARTS: dict[str, Callable[[], str]] = {
    "settings of a collection": lambda: write_settings(CollectionSettings, "collection", ["name"]),
    "settings of a source": lambda: write_settings(SourceSettings, "source"),
    "kinds": write_kinds,
    "settings of the retention": lambda: write_settings(RetentionSettings, "retention"),
    **{f"settings of {kind}": lambda kind=kind: write_kind(kind) for kind in list_kinds()},
    "commands": write_commands,
    "endpoints": write_endpoints,
    "scopes": write_scopes,
    "load limit": write_limited,
    "metrics": write_metrics,
    "errors": write_errors,
    "formats": write_formats,
    "decisions": write_decisions,
}


if __name__ == "__main__":
    main()
