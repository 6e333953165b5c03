"""What kind of file a document is, from its content and its name together.

Content wins where it can say: a container is looked into, and a page of HTML is HTML
whatever it is called. Among text formats that look alike the name decides.
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
from ragline.parsing.pointers import describe_pointer
from ragline.parsing.text_encoding import decode_text, looks_like_text

HEAD_BYTES = 4096
MAX_LIST_BYTES = 4 * 1024 * 1024

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_TYPES_BY_SUFFIX = {
    suffix: file_type
    for file_type, suffixes in {
        "csv": ".csv",
        "eml": ".eml .mht .mhtml .email",
        "html": ".html .htm .xhtml .xht",
        "json": ".json .geojson .ipynb .webmanifest",
        "jsonl": ".jsonl .ndjson",
        "md": ".md .markdown .mdown .mkd .mdx .qmd",
        "org": ".org",
        "rst": ".rst .rest",
        "tsv": ".tsv .tab",
        "xml": ".xml .xsd .xsl .xslt .rss .atom .svg .dita .docbook .dbk .wsdl .xliff .kml",
        "yaml": ".yaml .yml",
    }.items()
    for suffix in suffixes.split()
}
# Files that are one of these and hold text instead hold something else, or are damaged.
_BINARY_SUFFIXES = {
    f".{name}"
    for name in [
        "pdf",
        "docx",
        "docm",
        "dotx",
        "xlsx",
        "xlsm",
        "pptx",
        "pptm",
        "ppsx",
        "odt",
        "ods",
        "odp",
        "epub",
        "rtf",
        "msg",
        "doc",
        "dot",
        "xls",
        "xlt",
        "ppt",
        "pps",
        "pot",
    ]
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
_FOREIGN = (
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
    """The format's short name (`pdf`, `docx`, `txt` ...), the key of its reader.

    Raises:
        EmptyDocumentError: there are no bytes, or none but white space.
        EncryptedDocumentError: a container that cannot be opened without a password.
        BrokenDocumentError: a container that cannot be listed.
        UnsupportedFormatError: no format that has a reader; the message says what it is.
    """
    if not content.strip(b" \t\r\n\x00"):
        raise EmptyDocumentError("the file is empty")
    suffix = PurePosixPath(name).suffix.lower()
    pointer = describe_pointer(content, suffix)
    if pointer is not None:
        raise UnsupportedFormatError(f"this is {pointer}")
    head = content[:HEAD_BYTES]
    if head.lstrip().startswith(b"%PDF-"):
        return "pdf"
    if suffix == ".pdf" and (b"%PDF-" in head or b"endobj" in content):
        return "pdf"
    if head.startswith(_ZIP):
        return _look_into_zip(content, suffix)
    if head.startswith(_OLE):
        return _look_into_ole(content, suffix)
    if head.lstrip().startswith(b"{\\rtf"):
        return "rtf"
    return _detect_text_type(content, suffix)


def _detect_text_type(content: bytes, suffix: str) -> str:
    if not looks_like_text(content):
        _refuse_binary(content, suffix)
    start = decode_text(content[:HEAD_BYTES])
    named = _TYPES_BY_SUFFIX.get(suffix)
    if _HTML_START.match(start) and named not in {"md", "html", "eml", "rst", "org"}:
        return "html"
    if named:
        return _correct_named_type(named, start)
    if suffix and suffix not in _BINARY_SUFFIXES:
        return "txt"
    return _sniff_text_type(content, start)


def _correct_named_type(named: str, start: str) -> str:
    """A name ending in .json may hold one object a line."""
    if named == "json" and _is_json_line(start):
        return "jsonl"
    return named


def _sniff_text_type(content: bytes, start: str) -> str:
    """For a file without a telling name."""
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
    """Whether the first line is a whole object and another one follows it."""
    first, _, rest = start.strip().partition("\n")
    if not (first.startswith("{") and rest.lstrip().startswith("{")):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse_binary(content: bytes, suffix: str) -> NoReturn:
    for start, kind in _FOREIGN:
        if content.startswith(start):
            raise UnsupportedFormatError(f"this is {kind}, which has no reader")
    if content[4:8] == b"ftyp":
        raise UnsupportedFormatError("this is a video or sound file, which has no reader")
    if suffix in _BINARY_SUFFIXES:
        raise BrokenDocumentError(
            f"the file is named {suffix} but does not begin like one; it is damaged or misnamed"
        )
    raise UnsupportedFormatError("the content is binary and of no format that has a reader")


def _look_into_zip(content: bytes, suffix: str) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _type_of_package(archive)
    except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        what = f"{suffix} file" if suffix in _BINARY_SUFFIXES else "ZIP container"
        raise BrokenDocumentError(f"the {what} is damaged and cannot be opened: {error}") from error
    except (RuntimeError, NotImplementedError) as error:
        raise EncryptedDocumentError("the ZIP container is protected by a password") from error


def _type_of_package(archive: zipfile.ZipFile) -> str:
    names = set(archive.namelist())
    if "mimetype" in names:
        mime = _read_start(archive, "mimetype").strip()
        found = _PACKAGE_TYPES.get(mime.removesuffix("-template"))
        if found and "encryption-data" in _read_start(archive, "META-INF/manifest.xml"):
            raise EncryptedDocumentError("the document is protected by a password")
        if found:
            return found
    found = _type_by_parts(archive, names)
    if found is not None:
        return found
    if "xl/workbook.bin" in names:
        raise UnsupportedFormatError("this is a binary workbook (.xlsb); save it as .xlsx")
    if any(name.startswith("Index/") for name in names):
        raise UnsupportedFormatError("this is an Apple iWork file; export it as PDF or Office")
    raise UnsupportedFormatError("this is a ZIP archive; unpack it and list its files instead")


def _type_by_parts(archive: zipfile.ZipFile, names: set[str]) -> str | None:
    """The type of an Office package, by what it declares or else by what it holds."""
    for kind in _MAIN_PART.findall(_read_start(archive, "[Content_Types].xml")):
        for part, file_type in _OFFICE_PARTS.items():
            if part in kind.lower():
                return file_type
    return next((kind for part, kind in _OFFICE_FOLDERS.items() if f"{part}.xml" in names), None)


def _read_start(archive: zipfile.ZipFile, name: str) -> str:
    """The first characters of a member, "" where there is none. Never more, it may be a bomb."""
    if name not in archive.namelist():
        return ""
    with archive.open(name) as member:
        return member.read(MAX_LIST_BYTES).decode("utf-8", "replace")


def _look_into_ole(content: bytes, suffix: str) -> str:
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
    named = f" ({suffix})" if suffix else ""
    raise UnsupportedFormatError(f"this is an old Office container{named} that has no reader")
