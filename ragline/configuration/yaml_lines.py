"""Finds the line of a setting in a YAML file, so that an error can name the line.

The path of a setting is a tuple of keys and list indexes, such as `("sources", 0, "uri")`. Lines
start at 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from ragline.errors import ConfigurationError


def compose_yaml(content: str, path: Path) -> yaml.Node | None:
    """Parse a file into a tree with the position of each key and value; None for an empty file.

    Raises:
        ConfigurationError: the content is not YAML, or a mapping has a key twice.
    """
    try:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigurationError(f"is not YAML: {problem}", path=path, line=line) from error
    if root is not None:
        _refuse_repeated_keys(path, root)
    return root


def _refuse_repeated_keys(path: Path, node: yaml.Node) -> None:
    """Refuse a mapping that has a key twice. PyYAML would use the last value without a warning."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            if key.value in seen:
                raise ConfigurationError(
                    f"{key.value} is written twice (first on line {seen[key.value]}); "
                    "allowed: once",
                    path=path,
                    line=key.start_mark.line + 1,
                )
            seen[key.value] = key.start_mark.line + 1
            _refuse_repeated_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(path, item)


def find_line(root: yaml.Node, path: tuple[int | str, ...]) -> int:
    """Return the line of the longest beginning of `path` that exists in the file."""
    node, line = root, root.start_mark.line
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            key, node = found[0]
            line = key.start_mark.line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return line + 1


def list_setting_lines(root: yaml.Node) -> Iterator[tuple[str, int]]:
    """Yield a key and a line for each setting of each collection and source.

    The key of a setting is `area/name/setting`. The key of a collection or source itself is
    `area/name/`. If only sources name a collection, its line is the line at which a source names
    it; the last pair counts.
    """
    for area in ("sources", "collections"):
        for item in getattr(_find_child(root, area), "value", []):
            name = getattr(_find_child(item, "name"), "value", None)
            yield f"{area}/{name}/", item.start_mark.line + 1
            for key, value in item.value:
                line = key.start_mark.line + 1
                yield f"{area}/{name}/{key.value}", line
                for inner, _ in value.value if isinstance(value, yaml.MappingNode) else ():
                    yield f"{area}/{name}/{key.value}.{inner.value}", inner.start_mark.line + 1
                if key.value == "collection":
                    yield f"collections/{value.value}/", line


def _find_child(node: yaml.Node, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)
