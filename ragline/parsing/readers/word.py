"""Reads Word documents with `unstructured`. Parts that it skips are converted first."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import docx
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsmap, qn

from ragline.parsing.document_text import ComposedText, collapse_whitespace
from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.readers.partitioned_elements import NO_LANGUAGES, add_elements

from unstructured.partition.docx import partition_docx  # isort: skip  # after the one above

_NAMESPACES = nsmap | {
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
}
# Elements between a paragraph and its runs, such as inserted text and content controls.
_WRAPPERS = "//w:ins | //w:moveTo | //w:smartTag | //w:customXml | //w:fldSimple | //w:sdtContent"
_NOTE_PARTS = ("/word/footnotes.xml", "/word/endnotes.xml")


def read_docx(content: bytes, file_type: str) -> ParsedDocument:
    """Read the text with headings, tables, text boxes, formulas as characters, and footnotes."""
    document = docx.Document(io.BytesIO(content))
    is_changed = any([_unwrap(document), _move_text_boxes(document), _replace_formulas(document)])
    file = io.BytesIO(_saved(document) if is_changed else content)
    elements = partition_docx(file=file, languages=NO_LANGUAGES)
    composed = ComposedText()
    _raise_titles(elements, document)
    add_elements(composed, elements)
    for note in _notes(document):
        composed.add("text", note)
    return composed.finish(file_type, title=document.core_properties.title)


def _raise_titles(elements: list[Any], document: Any) -> None:
    """Give the title of the document a higher level than its chapters.

    `unstructured` gives the title and the chapters the same depth.
    """
    titles = {p.text.strip() for p in document.paragraphs if p.style and p.style.name == "Title"}
    for element in elements:
        if element.text.strip() in titles and element.metadata.category_depth == 0:
            element.metadata.category_depth = -1


def _unwrap(document: Any) -> bool:
    body = document.element.body
    wrappers = body.xpath(_WRAPPERS)
    for wrapper in wrappers:
        outer = wrapper
        if wrapper.tag == qn("w:sdtContent"):
            outer = wrapper.getparent()
        for child in list(wrapper):
            outer.addprevious(child)
        outer.getparent().remove(outer)
    return bool(wrappers)


def _move_text_boxes(document: Any) -> bool:
    """Move the paragraphs of text boxes after their anchor paragraph.

    Return whether there were any text boxes.
    """
    boxes = _find(document, "//w:txbxContent[not(ancestor::mc:Fallback)]")
    for box in boxes:
        anchor = next(box.iterancestors(qn("w:p")), None)
        if anchor is not None:
            for block in reversed(list(box)):
                anchor.addnext(block)
    return bool(boxes)


def _replace_formulas(document: Any) -> bool:
    """Replace each formula by its characters, in order. Return whether there were any formulas."""
    formulas = _find(document, "//m:oMath")
    for formula in formulas:
        run, text = OxmlElement("w:r"), OxmlElement("w:t")
        text.text = "".join(
            element.text or "" for element in formula.iter(f"{{{_NAMESPACES['m']}}}t")
        )
        run.append(text)
        formula.getparent().replace(formula, run)
    return bool(formulas)


def _notes(document: Any) -> Iterator[str]:
    for part in document.part.package.iter_parts():
        if str(part.partname) in _NOTE_PARTS:
            for note in parse_xml(part.blob):
                if note.get(qn("w:type")) is None:
                    yield collapse_whitespace(
                        " ".join(one.text or "" for one in note.iter(qn("w:t")))
                    )


def _find(document: Any, path: str) -> list[Any]:
    # The method `xpath` of python-docx knows only some namespaces of Word. The method of lxml also
    # accepts other namespaces.
    from lxml import etree

    found: list[Any] = etree.ElementBase.xpath(document.element.body, path, namespaces=_NAMESPACES)
    return found


def _saved(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()
