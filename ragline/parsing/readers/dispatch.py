"""Calls the reader of a document's format, and converts each failure to a document error.

`ragline.parsing.formats` names the reader of each format. Error messages are written for the owner
of the file. If a package is missing, the message names it.
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
from ragline.parsing.formats import FORMATS
from ragline.parsing.languages import detect_language
from ragline.parsing.parsed_document import ParsedDocument

Reader = Callable[[bytes, str], ParsedDocument]

# The usual formats of documentation. Other readers are imported at their first document.
COMMON_TYPES = ("txt", "md", "rst")
# Errors of the operating system that do not depend on the document.
_SYSTEM_ERRORS = frozenset(
    {errno.EAGAIN, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC}
)


class ReaderDispatch:
    """The readers of this process.

    `custom_readers` maps a suffix to the `module:function` that reads files with this suffix.
    """

    def __init__(self, custom_readers: Mapping[str, str] | None = None) -> None:
        custom = custom_readers or {}
        self._custom_suffixes = frozenset(custom)
        here = __name__.rpartition(".")[0]
        self._targets = {name: f"{here}.{row.reader}" for name, row in FORMATS.items()} | dict(
            custom
        )

    def import_common_readers(self) -> None:
        """Import the readers of the usual formats, so that the first document does not wait."""
        for file_type in COMMON_TYPES:
            self._find(file_type)
        detect_language("These are some words, enough of them to load the language profiles.")

    def parse_document(self, content: bytes, name: str) -> ParsedDocument:
        """Parse one document.

        Raises:
            DocumentError: parsing failed. The subclass says why.
        """
        try:
            return self._parse(content, name)
        except DocumentError:
            raise
        except MemoryError as error:
            raise ParserMemoryError(
                "parsing needs more memory than the limit of one document"
            ) from error
        except RecursionError as error:
            raise BrokenDocumentError("it is nested too deeply") from error

    def _parse(self, content: bytes, name: str) -> ParsedDocument:
        suffix = PurePosixPath(name).suffix.lower()
        is_custom = suffix in self._custom_suffixes
        file_type = suffix if is_custom else detect_file_type(content, name)
        reader = self._find(file_type)
        try:
            parsed = reader(content, file_type)
        except (DocumentError, MemoryError, RecursionError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _SYSTEM_ERRORS:
                raise ParserCrashedError(
                    f"the reader could not use its temporary files: {error}"
                ) from error
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise BrokenDocumentError(f"the file is not valid {file_type} ({reason})") from error
        if not parsed.elements:
            raise EmptyDocumentError("the document contains no text")
        return dataclasses.replace(parsed, language=detect_language(_select_sample(parsed)))

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


def _select_sample(parsed: ParsedDocument) -> str:
    """Return the first prose of a document, for the detection of its language.

    Headings, code and tables say little about the language.
    """
    prose = [e for e in parsed.elements if e.category in {"text", "list_item"}]
    sample: list[str] = []
    length = 0
    for element in prose or parsed.elements:
        sample.append(parsed.text[element.start : element.end][:2000])
        length += len(sample[-1])
        if length > 6000:
            break
    return "\n".join(sample)
