"""Reads data files (JSON, JSON lines, YAML, XML) as text with their keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml
from lxml import etree

from ragline.errors import BrokenDocumentError
from ragline.parsing.document_text import ComposedText
from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.text_encoding import decode_text

# The number of lines in one block.
BLOCK_LINES = 12
MAX_DEPTH = 200
TITLE_KEYS = ("title", "name")


def read_json(content: bytes, file_type: str) -> ParsedDocument:
    """Read JSON as text: each value is on a separate line, after its keys."""
    return _compose(json.loads(decode_text(content)), file_type)


def read_json_lines(content: bytes, file_type: str) -> ParsedDocument:
    """Read JSON lines as text: each line is one block."""
    text = ComposedText()
    for line in decode_text(content).splitlines():
        if line.strip():
            text.add("text", "\n".join(_lines(json.loads(line), ())))
    return text.finish(file_type)


def read_yaml(content: bytes, file_type: str) -> ParsedDocument:
    """Read YAML as text: each value of each document is on a separate line, after its keys."""
    documents = list(yaml.safe_load_all(decode_text(content)))
    return _compose(documents[0] if len(documents) == 1 else documents, file_type)


def read_xml(content: bytes, file_type: str) -> ParsedDocument:
    """Read XML as text: each text is on a separate line, after the names of its elements.

    Attributes have lines, too. Entities are not expanded.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    root = etree.fromstring(content, parser)
    text = ComposedText()
    for block in _blocks(_xml_lines(root, ())):
        text.add("text", block)
    return text.finish(file_type)


def _compose(value: Any, file_type: str) -> ParsedDocument:
    text = ComposedText()
    for block in _blocks(_lines(value, ())):
        text.add("text", block)
    return text.finish(file_type, title=_find_title(value))


def _find_title(value: Any) -> str | None:
    if isinstance(value, dict):
        for key in TITLE_KEYS:
            if isinstance(value.get(key), str):
                return str(value[key])
    return None


def _lines(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if len(path) > MAX_DEPTH:
        raise BrokenDocumentError(f"it is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _lines(inner, (*path, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _lines(inner, path)
    elif value is not None and str(value).strip():
        yield f"{' › '.join(path)}: {value}" if path else str(value)


def _xml_lines(element: Any, path: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(element.tag, str):
        return
    if len(path) > MAX_DEPTH:
        raise BrokenDocumentError(f"it is nested more than {MAX_DEPTH} levels deep")
    here = (*path, etree.QName(element).localname)
    for name, value in element.attrib.items():
        if str(value).strip():
            yield f"{' › '.join(here)} {etree.QName(name).localname}: {value}"
    if element.text and element.text.strip():
        yield f"{' › '.join(here)}: {' '.join(element.text.split())}"
    for child in element:
        yield from _xml_lines(child, here)
        if child.tail and child.tail.strip():
            yield f"{' › '.join(here)}: {' '.join(child.tail.split())}"


def _blocks(lines: Iterator[str]) -> Iterator[str]:
    block: list[str] = []
    for line in lines:
        block.append(line)
        if len(block) == BLOCK_LINES:
            yield "\n".join(block)
            block = []
    if block:
        yield "\n".join(block)
