"""Slides (pptx): a slide is a page."""

from __future__ import annotations

import io

from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.readers.unstructured_elements import compose_elements, prepare_unstructured


def read_pptx(content: bytes, file_type: str) -> ParsedDocument:
    """The text, tables and notes of every slide in order; a slide's title is its heading."""
    prepare_unstructured()
    from pptx import Presentation
    from unstructured.partition.pptx import partition_pptx

    title = Presentation(io.BytesIO(content)).core_properties.title
    elements = partition_pptx(file=io.BytesIO(content))
    return compose_elements(elements, file_type, title=title, has_pages=True)
