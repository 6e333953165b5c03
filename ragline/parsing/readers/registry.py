"""Which format is read by which function, and what to install where it cannot be.

Everything that goes wrong with one document comes out of `read_document` as one of the
document errors of `ragline.errors`, with a message for the person who owns the file.
"""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import PurePosixPath

from ragline.errors import (
    BrokenDocumentError,
    DocumentError,
    EmptyDocumentError,
    ParserCrashedError,
    ParserMemoryError,
    UnsupportedFormatError,
)
from ragline.parsing.file_types import detect_file_type
from ragline.parsing.languages import detect_language
from ragline.parsing.parsed_document import ParsedDocument

Reader = Callable[[bytes, str], ParsedDocument]

_FUNCTIONS = {
    "csv": "spreadsheets:read_separated_values",
    "doc": "old_office:read_old_office",
    "docx": "word:read_docx",
    "eml": "mail:read_eml",
    "epub": "pandoc:read_with_pandoc",
    "html": "html:read_html",
    "json": "data:read_json",
    "jsonl": "data:read_json_lines",
    "md": "markdown:read_markdown",
    "msg": "mail:read_msg",
    "odp": "old_office:read_old_office",
    "ods": "old_office:read_old_office",
    "odt": "pandoc:read_with_pandoc",
    "org": "pandoc:read_with_pandoc",
    "pdf": "pdf:read_pdf",
    "ppt": "old_office:read_old_office",
    "pptx": "slides:read_pptx",
    "rst": "restructured_text:read_restructured_text",
    "rtf": "pandoc:read_with_pandoc",
    "tsv": "spreadsheets:read_separated_values",
    "txt": "plain_text:read_plain_text",
    "xls": "spreadsheets:read_xls",
    "xlsx": "spreadsheets:read_xlsx",
    "xml": "data:read_xml",
    "yaml": "data:read_yaml",
}
# What a folder of documentation is made of; the others are imported at their first document.
COMMON_TYPES = ("txt", "md", "rst")


# Errors of the operating system that say nothing about the document.
_OURS = frozenset(
    {errno.EAGAIN, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC}
)


class ReaderRegistry:
    """The readers of this process. `own_readers` maps a suffix to another `module:function`."""

    def __init__(self, own_readers: Mapping[str, str] | None = None) -> None:
        own = own_readers or {}
        self._own_suffixes = frozenset(own)
        here = __name__.rpartition(".")[0]
        self._targets = {name: f"{here}.{target}" for name, target in _FUNCTIONS.items()} | dict(
            own
        )

    def import_common_readers(self) -> None:
        """Import what most documents need, so that the first one need not wait for it."""
        for file_type in COMMON_TYPES:
            self._find(file_type)
        detect_language("These are some words, enough of them to load the language profiles.")

    def read_document(self, content: bytes, name: str) -> ParsedDocument:
        """Read one document.

        Raises:
            DocumentError: one of its kinds, whatever went wrong.
        """
        try:
            return self._read(content, name)
        except DocumentError:
            raise
        except MemoryError as error:
            raise ParserMemoryError("reading it needs more memory than one may have") from error
        except RecursionError as error:
            raise BrokenDocumentError("it is nested too deeply to be read") from error

    def _read(self, content: bytes, name: str) -> ParsedDocument:
        suffix = PurePosixPath(name).suffix.lower()
        is_own = suffix in self._own_suffixes
        file_type = suffix if is_own else detect_file_type(content, name)
        reader = self._find(file_type)
        try:
            parsed = reader(content, file_type)
        except (DocumentError, MemoryError, RecursionError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _OURS:
                raise ParserCrashedError(f"the reader failed on its own files: {error}") from error
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise BrokenDocumentError(
                f"the file breaks the format {file_type} ({reason})"
            ) from error
        if not parsed.elements:
            raise EmptyDocumentError("the document holds no text")
        return dataclasses.replace(parsed, language=detect_language(_sample(parsed)))

    def _find(self, file_type: str) -> Reader:
        module, _, function = self._targets[file_type].partition(":")
        try:
            reader: Reader = getattr(import_module(module), function)
        except ImportError as error:
            raise UnsupportedFormatError(
                f"reading {file_type} needs the Python package {error.name}; "
                "install it with: pip install 'ragline[pipeline]'"
            ) from error
        return reader


def _sample(parsed: ParsedDocument) -> str:
    """The first running text; headings, code and tables say little about the language."""
    prose = [e for e in parsed.elements if e.category in {"text", "list_item"}]
    chosen: list[str] = []
    length = 0
    for element in prose or parsed.elements:
        chosen.append(parsed.text[element.start : element.end][:2000])
        length += len(chosen[-1])
        if length > 6000:
            break
    return "\n".join(chosen)
