"""Reads slides (pptx) with `unstructured`: a slide is a page, and its title is a heading."""

from __future__ import annotations

import io

from pptx import Presentation

from ragline.parsing.document_text import ComposedText
from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.readers.partitioned_elements import NO_LANGUAGES, add_elements

from unstructured.partition.pptx import partition_pptx  # isort: skip  # after the one above


def read_pptx(content: bytes, file_type: str) -> ParsedDocument:
    """Read the text, tables and notes of every slide, in order."""
    presentation = Presentation(io.BytesIO(content))
    composed = ComposedText()
    add_elements(composed, partition_pptx(file=io.BytesIO(content), languages=NO_LANGUAGES))
    return composed.finish(
        file_type, title=presentation.core_properties.title, page_count=len(presentation.slides)
    )
