"""Makes a `Configuration` from the content of a file, or reports all errors in the content.

`fault_messages` describes an error in words. `yaml_lines` finds its line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ragline.configuration.collection_settings import CollectionSettings
from ragline.configuration.fault_messages import (
    describe_invalid_value,
    describe_unknown_key,
    describe_unknown_kind,
)
from ragline.configuration.settings import Configuration, RetentionSettings
from ragline.configuration.yaml_lines import compose_yaml, find_line, list_setting_lines
from ragline.errors import ConfigurationError
from ragline.sources.registry import KINDS

TOP_KEYS = ("collections", "sources", "retention")


def validate_content(
    content: str, path: Path, *, home: Path, database_url: str | None
) -> Configuration:
    """Return the configuration in `content`, which is the content of the file `path`.

    Raises:
        ConfigurationError: the content has errors. The message has one line for each error, with
            file, line, cause and allowed values.
    """
    root = compose_yaml(content, path)
    if root is None:
        raise ConfigurationError(
            f"the file is empty; allowed keys: {', '.join(TOP_KEYS)}", path=path, line=1
        )
    values = yaml.safe_load(content)
    if not isinstance(values, dict):
        raise ConfigurationError(
            f"the top level must be a mapping; allowed keys: {', '.join(TOP_KEYS)}",
            path=path,
            line=1,
        )
    _check_top_level(path, root, values)
    return _validate(path, root, values, {"home": home, "database_url": database_url})


def _check_top_level(path: Path, root: yaml.Node, values: dict[str, Any]) -> None:
    for key in values:
        if key not in TOP_KEYS:
            _fail(path, [(find_line(root, (key,)), describe_unknown_key(str(key), TOP_KEYS))])
    for key in ("collections", "sources"):
        if not isinstance(values.get(key) or [], list):
            _fail(path, [(find_line(root, (key,)), f"{key} must be a list, each item with a dash")])
    if not isinstance(values.get("retention") or {}, dict):
        _fail(path, [(find_line(root, ("retention",)), "retention must be a mapping of durations")])


def _validate(
    path: Path, root: yaml.Node, values: dict[str, Any], environment: dict[str, Any]
) -> Configuration:
    stated = values.get("collections") or []
    sources = values.get("sources") or []
    malformed = [
        *_find_malformed_items(root, "collections", stated),
        *_find_malformed_items(root, "sources", sources),
    ]
    if malformed:
        _fail(path, malformed)
    names = {str(item.get("name")) for item in stated}
    implied = list(dict.fromkeys(_list_collection_names(sources)))
    everything = {
        "collections": [*stated, *({"name": name} for name in implied if name not in names)],
        "sources": sources,
        "retention": values.get("retention") or {},
        "path": path,
        "source_lines": {
            str(item.get("name")): find_line(root, ("sources", index))
            for index, item in enumerate(sources)
        },
        "setting_lines": dict(list_setting_lines(root)),
        **environment,
    }
    try:
        configuration = Configuration.model_validate(everything, context={"folder": path.parent})
    except ValidationError as error:
        _fail(path, [_describe(root, fault, sources) for fault in _flatten(error)])
    repeated = [
        *_find_repeated_names(root, "collections", stated),
        *_find_repeated_names(root, "sources", sources),
        *_find_repeated_pushes(root, sources),
    ]
    if repeated:
        _fail(path, repeated)
    return configuration


def _find_malformed_items(
    root: yaml.Node, area: str, items: list[Any]
) -> Iterator[tuple[int, str]]:
    """Yield line and message for each item that is not a mapping or has an unknown kind.

    The keys of such an item cannot be checked.
    """
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            yield find_line(root, (area, index)), f"{area}[{index}] must be a mapping with a name"
        elif area == "sources" and str(item.get("kind")) not in KINDS:
            message = f"kind is missing; allowed: {', '.join(KINDS)}"
            if "kind" in item:
                message = describe_unknown_kind(item["kind"], tuple(KINDS))
            yield find_line(root, (area, index, "kind")), f"sources[{index}].kind: {message}"


def _list_collection_names(sources: list[dict[str, Any]]) -> Iterator[str]:
    for source in sources:
        if isinstance(source.get("collection"), str):
            yield source["collection"]


def _find_repeated_names(
    root: yaml.Node, area: str, items: list[dict[str, Any]]
) -> Iterator[tuple[int, str]]:
    """Yield line and message for each name that is used twice.

    Dagster's names cannot contain a dash, so a dash and an underscore count as equal.
    """
    seen: dict[str, str] = {}
    for index, item in enumerate(items):
        name = str(item["name"])
        key = name.replace("-", "_")
        if key in seen:
            other = "" if seen[key] == name else f" (as {seen[key]!r}: - and _ count as equal)"
            line = find_line(root, (area, index, "name"))
            yield line, f"{area}: the name {name!r} is used twice{other}; allowed: a unique name"
        seen[key] = name


def _find_repeated_pushes(
    root: yaml.Node, sources: list[dict[str, Any]]
) -> Iterator[tuple[int, str]]:
    """Yield line and message for each second source of the kind `push` of a collection.

    A request to push documents names only the collection, so only one such source is allowed.
    """
    seen: dict[str, str] = {}
    for index, item in enumerate(sources):
        if item["kind"] == "push":
            collection = item["collection"]
            if collection in seen:
                fault = (
                    f"sources: {seen[collection]!r} already accepts the documents that are pushed "
                    f"to the collection {collection!r}; allowed: one source of the kind push for "
                    "each collection"
                )
                yield find_line(root, ("sources", index, "kind")), fault
            seen.setdefault(collection, item["name"])


def _flatten(error: ValidationError) -> Iterator[ErrorDetails]:
    """Yield the errors with their complete paths in the file.

    Pydantic reports the errors of a source as parts of one error, with paths inside the source.
    """
    for fault in error.errors(include_url=False):
        inner = (fault.get("ctx") or {}).get("error")
        if isinstance(inner, ValidationError):
            for nested in _flatten(inner):
                yield {**nested, "loc": (*fault["loc"], *nested["loc"])}
        else:
            yield fault


def _describe(
    root: yaml.Node, fault: ErrorDetails, sources: list[dict[str, Any]]
) -> tuple[int, str]:
    """Return the line of an error, and its message: setting, cause, allowed values."""
    line = find_line(root, fault["loc"])
    setting = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"])
    setting = setting.lstrip(".")
    if fault["type"] == "extra_forbidden":
        above, key = fault["loc"][:-1], str(fault["loc"][-1])
        allowed = _list_allowed_keys(above, sources)
        return line, f"{setting.removesuffix('.' + key)}: {describe_unknown_key(key, allowed)}"
    if fault["type"] == "missing":
        return line, f"{setting} is missing; it must be given"
    return line, f"{setting}: {describe_invalid_value(fault)}"


def _list_allowed_keys(
    path: tuple[int | str, ...], sources: list[dict[str, Any]]
) -> tuple[str, ...]:
    """Return the keys that are allowed in the mapping at `path` in the file."""
    area, *deeper = path
    if area == "retention":
        return tuple(RetentionSettings.model_fields)
    index, *rest = deeper
    model: type[BaseModel] = CollectionSettings
    if area == "sources":
        model = KINDS[sources[int(index)]["kind"]].settings
    for part in rest:
        nested = model.model_fields[str(part)].annotation
        assert isinstance(nested, type)
        assert issubclass(nested, BaseModel)
        model = nested
    return tuple(model.model_fields)


def _fail(path: Path, faults: list[tuple[int, str]]) -> NoReturn:
    """Raise one ConfigurationError with one line for each error, in the order of the file."""
    (line, first), *others = sorted(set(faults))
    more = "".join(f"\n{path}:{number}: {fault}" for number, fault in others)
    raise ConfigurationError(first + more, path=path, line=line)
