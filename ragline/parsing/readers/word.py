"""Word documents (docx)."""

from __future__ import annotations

import io

from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.readers.unstructured_elements import compose_elements, prepare_unstructured


def read_docx(content: bytes, file_type: str) -> ParsedDocument:
    """Headings by their styles; page numbers only where the file carries rendered page breaks."""
    prepare_unstructured()
    from docx import Document  # noqa: PLC0415
    from unstructured.partition.docx import partition_docx  # noqa: PLC0415

    title = Document(io.BytesIO(content)).core_properties.title
    elements = partition_docx(file=io.BytesIO(content))
    return compose_elements(elements, file_type, title=title, has_pages=True)
