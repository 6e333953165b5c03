"""Detects the format of a file from its content and its name.

If the content is unambiguous, it decides the format. For example, the members of a container decide
its format, and a page of HTML is recognised under most names. The suffix decides between text
formats that look alike.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import PurePosixPath
from typing import NoReturn

from ragline.errors import (
    BrokenDocumentError,
    EmptyDocumentError,
    EncryptedDocumentError,
    UnsupportedFormatError,
)
from ragline.parsing.formats import FORMATS
from ragline.parsing.placeholder_files import describe_placeholder
from ragline.parsing.text_encoding import decode_text, looks_like_text

HEAD_BYTES = 4096
MAX_MEMBER_BYTES = 4 * 1024 * 1024

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_TYPES_BY_SUFFIX = {
    suffix: row.name for row in FORMATS.values() if row.is_text for suffix in row.suffixes
}
# The suffixes of binary formats. If a file with such a suffix contains text, the text decides.
_BINARY_SUFFIXES = {
    suffix for row in FORMATS.values() if not row.is_text for suffix in row.suffixes
}
_OFFICE_PARTS = {
    "wordprocessingml": "docx",
    "ms-word.document.macro": "docx",
    "ms-word.template.macro": "docx",
    "presentationml": "pptx",
    "ms-powerpoint": "pptx",
    "spreadsheetml": "xlsx",
    "ms-excel.sheet.macro": "xlsx",
    "ms-excel.template.macro": "xlsx",
}
_OFFICE_FOLDERS = {"word/document": "docx", "ppt/presentation": "pptx", "xl/workbook": "xlsx"}
_MAIN_PART = re.compile(
    r'ContentType="application/vnd\.(?:openxmlformats-officedocument\.)?([\w.-]+?)'
    r'(?:\.main\+xml|\.sheet\.binary[\w.]*)"',
    re.IGNORECASE,
)
_PACKAGE_TYPES = {
    "application/epub+zip": "epub",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
}
_OLE_STREAMS = {
    "WordDocument": "doc",
    "Workbook": "xls",
    "Book": "xls",
    "PowerPoint Document": "ppt",
    "__properties_version1.0": "msg",
}
_UNREADABLE = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"BM", "a bitmap image"),
    (b"RIFF", "a RIFF file (sound, video or WebP)"),
    (b"OggS", "a sound or video file"),
    (b"ID3", "a sound file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"SQLite format 3", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"%!PS", "a PostScript file"),
    (b"wOFF", "a font"),
)
_HTML_START = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_XML_START = re.compile(r"\s*<\?xml\b")
_MAIL_HEADER = re.compile(
    r"(?:from|to|cc|subject|date|received|return-path|message-id|mime-version|delivered-to|"
    r"reply-to|content-type|x-[\w-]+|dkim-signature): ?.*(?:\r?\n[ \t].*)*\r?\n",
    re.IGNORECASE,
)


def detect_file_type(content: bytes, name: str) -> str:
    """Return the name of the format (`pdf`, `docx`, `txt` …), a key of `formats.FORMATS`.

    Raises:
        EmptyDocumentError: the content is empty or contains only white space.
        EncryptedDocumentError: the container needs a password.
        BrokenDocumentError: the container cannot be listed.
        UnsupportedFormatError: the format has no reader; the message names the format.
    """
    if not content.strip(b" \t\r\n\x00"):
        raise EmptyDocumentError("the file is empty")
    suffix = PurePosixPath(name).suffix.lower()
    placeholder = describe_placeholder(content, suffix)
    if placeholder is not None:
        raise UnsupportedFormatError(f"this is {placeholder}")
    head = content[:HEAD_BYTES]
    if head.lstrip().startswith(b"%PDF-"):
        return "pdf"
    if suffix == ".pdf" and (b"%PDF-" in head or b"endobj" in content):
        return "pdf"
    if head.startswith(_ZIP):
        return _detect_zip_type(content, suffix)
    if head.startswith(_OLE):
        return _detect_ole_type(content, suffix)
    if head.lstrip().startswith(b"{\\rtf"):
        return "rtf"
    return _detect_text_type(content, suffix)


def _detect_text_type(content: bytes, suffix: str) -> str:
    if not looks_like_text(content):
        _refuse_binary(content, suffix)
    start = decode_text(content[:HEAD_BYTES])
    by_suffix = _TYPES_BY_SUFFIX.get(suffix)
    if _HTML_START.match(start) and by_suffix not in {"md", "html", "eml", "rst", "org"}:
        return "html"
    if by_suffix:
        return _correct_json_type(by_suffix, start)
    if suffix and suffix not in _BINARY_SUFFIXES:
        return "txt"
    return _guess_text_type(content, start)


def _correct_json_type(file_type: str, start: str) -> str:
    """Return the file type. It is `jsonl` if a file named .json has one object on each line."""
    if file_type == "json" and _is_json_line(start):
        return "jsonl"
    return file_type


def _guess_text_type(content: bytes, start: str) -> str:
    """Return the type of a text file whose suffix is not that of a text format."""
    if _XML_START.match(start):
        return "xml"
    first_header = _MAIL_HEADER.match(start)
    if first_header and _MAIL_HEADER.match(start, first_header.end()):
        return "eml"
    if start.lstrip()[:1] in {"{", "["}:
        if _is_json_line(start):
            return "jsonl"
        try:
            json.loads(decode_text(content))
        except (ValueError, RecursionError):
            return "txt"
        return "json"
    return "txt"


def _is_json_line(start: str) -> bool:
    """Whether the first line is a complete object and another object follows."""
    first, _, rest = start.strip().partition("\n")
    if not (first.startswith("{") and rest.lstrip().startswith("{")):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse_binary(content: bytes, suffix: str) -> NoReturn:
    for start, kind in _UNREADABLE:
        if content.startswith(start):
            raise UnsupportedFormatError(f"this is {kind}, which has no reader")
    if content[4:8] == b"ftyp":
        raise UnsupportedFormatError("this is a video or sound file, which has no reader")
    if suffix in _BINARY_SUFFIXES:
        raise BrokenDocumentError(
            f"the name ends in {suffix}, but the content has another format; the file is "
            "damaged or has the wrong name"
        )
    raise UnsupportedFormatError("the content is binary, and its format has no reader")


def _detect_zip_type(content: bytes, suffix: str) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _detect_package_type(archive)
    except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        what = f"{suffix} file" if suffix in _BINARY_SUFFIXES else "ZIP container"
        raise BrokenDocumentError(f"the {what} is damaged and cannot be opened: {error}") from error
    except (RuntimeError, NotImplementedError) as error:
        raise EncryptedDocumentError("the ZIP container is protected by a password") from error


def _detect_package_type(archive: zipfile.ZipFile) -> str:
    names = set(archive.namelist())
    if "mimetype" in names:
        mime = _read_start(archive, "mimetype").strip()
        found = _PACKAGE_TYPES.get(mime.removesuffix("-template"))
        if found and "encryption-data" in _read_start(archive, "META-INF/manifest.xml"):
            raise EncryptedDocumentError("the document is protected by a password")
        if found:
            return found
    found = _detect_office_type(archive, names)
    if found is not None:
        return found
    if "xl/workbook.bin" in names:
        raise UnsupportedFormatError("this is a binary workbook (.xlsb); save it as .xlsx")
    if any(name.startswith("Index/") for name in names):
        raise UnsupportedFormatError("this is an Apple iWork file; export it as PDF or Office")
    raise UnsupportedFormatError("this is a ZIP archive; unpack it and list its files instead")


def _detect_office_type(archive: zipfile.ZipFile, names: set[str]) -> str | None:
    """Return the type of an Office package: from its declared parts, otherwise from its members."""
    for kind in _MAIN_PART.findall(_read_start(archive, "[Content_Types].xml")):
        for part, file_type in _OFFICE_PARTS.items():
            if part in kind.lower():
                return file_type
    return next((kind for part, kind in _OFFICE_FOLDERS.items() if f"{part}.xml" in names), None)


def _read_start(archive: zipfile.ZipFile, name: str) -> str:
    """Return the first characters of a member, or "" if it is missing.

    The number is limited, because a small archive can expand to gigabytes.
    """
    if name not in archive.namelist():
        return ""
    with archive.open(name) as member:
        return member.read(MAX_MEMBER_BYTES).decode("utf-8", "replace")


def _detect_ole_type(content: bytes, suffix: str) -> str:
    import olefile  # only old Office files need it

    try:
        with olefile.OleFileIO(io.BytesIO(content)) as container:
            streams = {entry[0] for entry in container.listdir(streams=True, storages=False)}
    except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise BrokenDocumentError(
            f"the Office container is damaged and cannot be opened: {error}"
        ) from error
    if "EncryptedPackage" in streams:
        raise EncryptedDocumentError("the document is protected by a password")
    for stream, file_type in _OLE_STREAMS.items():
        if stream in streams:
            return file_type
    shown = f" ({suffix})" if suffix else ""
    raise UnsupportedFormatError(f"this is an old Office container{shown}, which has no reader")
