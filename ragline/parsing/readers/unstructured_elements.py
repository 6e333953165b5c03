"""The library `unstructured`, made to work without a network, and its elements as blocks.

Its sentence and verb tests want a spaCy model that it would download at first use. A blank
English pipeline takes its place where no model is installed: only the choice between a short
paragraph and a heading depends on it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from lxml import html as lxml_html

from ragline.parsing.document_text import ComposedText
from ragline.parsing.parsed_document import Category, ParsedDocument

MODEL = "en_core_web_sm"
_CATEGORIES: dict[str, Category] = {
    "ListItem": "list_item",
    "CodeSnippet": "code",
    "Formula": "code",
}
# A word before one of these endings, or one of these words, is taken for a verb.
_VERBS = frozenset(
    "is are was were be been am do does did has have had can could may might must shall should "
    "will would get gets make makes use uses see say says go goes need needs let want".split()
)


@cache
def prepare_unstructured() -> None:
    """Make the library ready for this process: quiet, offline, and without torch."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("SCARF_NO_ANALYTICS", "true")
    os.environ.setdefault("UNSTRUCTURED_DISABLE_NOTICE", "1")
    # spaCy's layers import torch when it is there: seconds and 160 MB that nothing here needs.
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]
    import spacy
    from unstructured.nlp import tokenize

    if spacy.util.is_package(MODEL):
        return
    pipeline = _build_pipeline(spacy)
    tokenize._get_nlp = lambda: pipeline  # noqa: SLF001 - covered by the tests of the readers


def _build_pipeline(spacy: Any) -> Any:
    from spacy.language import Language

    @Language.component("ragline_verbs")
    def tag_verbs(document: Any) -> Any:
        for token in document:
            word = token.lower_
            if word in _VERBS or (len(word) > 4 and word.endswith(("ed", "ing", "ize", "ise"))):
                token.tag_ = "VB"
        return document

    pipeline = spacy.blank("en")
    pipeline.max_length = 10_000_000
    pipeline.add_pipe("sentencizer")
    pipeline.add_pipe("ragline_verbs")
    return pipeline


def compose_elements(
    elements: Iterable[Any],
    file_type: str,
    *,
    title: str | None = None,
    has_pages: bool = False,
    text: ComposedText | None = None,
) -> ParsedDocument:
    """A parsed document made of the library's elements, in their order."""
    composed = text or ComposedText()
    pages = 0
    for element in elements:
        page = element.metadata.page_number if has_pages else None
        pages = max(pages, page or 0)
        _add_element(composed, element, page)
    return composed.finish(file_type, title=title, page_count=pages or None)


def _add_element(composed: ComposedText, element: Any, page: int | None) -> None:
    if element.category == "PageBreak":
        return
    if element.category == "Table":
        rows = read_html_table(element.metadata.text_as_html)
        if rows:
            composed.add_table(rows, page=page)
            return
    if element.category == "Title" and element.metadata.category_depth is not None:
        composed.add_heading(element.text, element.metadata.category_depth + 1, page=page)
        return
    composed.add(_CATEGORIES.get(element.category, "text"), element.text, page=page)


def read_html_table(markup: str | None) -> list[Sequence[str]]:
    """The rows of a table in HTML, a cell's lines joined; empty when there is none."""
    if not markup:
        return []
    root = lxml_html.fragment_fromstring(markup, create_parent=True)
    return [
        [" ".join(cell.text_content().split()) for cell in row.xpath("./td|./th")]
        for row in root.iter("tr")
    ]
