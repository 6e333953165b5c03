"""The formats that Ragline reads. Each row has the reader, the media type and the suffixes.

To add a format, add a row here and a function in `readers`. A format of binary files also needs a
rule in `file_types`, which recognises formats by their content.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from importlib import metadata
from shutil import which

from ragline.fingerprints import fingerprint

# Increase this number when a reader gives different text or different elements for the same bytes.
# Every document is then parsed again.
PARSER_VERSION = 2
# Every document is also parsed again if the version of one of these packages changes, or if one of
# the programs is installed or removed.
_PACKAGES = (
    "unstructured",
    "en-core-web-sm",
    "langdetect",
    "lxml",
    "markdown-it-py",
    "openpyxl",
    "pikepdf",
    "pypandoc-binary",
    "pypdfium2",
    "python-docx",
    "python-oxmsg",
    "python-pptx",
    "xlrd",
)
_PROGRAMS = ("pandoc", "soffice")

_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument"
UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Format:
    """A format that has a reader.

    `name` is the file type that is stored with a parse. `label` is shown to people. `reader` is
    `module:function` in `ragline.parsing.readers`. The first of the `suffixes` is the usual one.
    `other_media_types` are recognised in addition to `media_type`.

    `is_text` says that files of the format are text. The suffix decides between such formats. Each
    format must state this value, because with a wrong value its files are read as plain text.
    `is_data` says that files of the format usually contain the data of programs. `ragline init`
    does not propose them.
    """

    name: str
    label: str
    media_type: str
    reader: str
    suffixes: tuple[str, ...]
    _: KW_ONLY
    is_text: bool
    other_media_types: tuple[str, ...] = ()
    is_data: bool = False


_FORMATS = (
    Format(
        "csv", "CSV table", "text/csv", "spreadsheets:read_separated_values", (".csv",),
        is_text=True,
    ),
    Format(
        "doc", "Word document", "application/msword", "old_office:read_old_office",
        (".doc", ".dot"),
        is_text=False,
    ),
    Format(
        "docx", "Word document", f"{_OFFICE}.wordprocessingml.document", "word:read_docx",
        (".docx", ".docm", ".dotx"),
        is_text=False,
    ),
    Format(
        "eml", "E-mail", "message/rfc822", "mail:read_eml", (".eml", ".mht", ".mhtml", ".email"),
        is_text=True,
    ),
    Format(
        "epub", "EPUB book", "application/epub+zip", "pandoc:read_with_pandoc", (".epub",),
        is_text=False,
    ),
    Format(
        "html", "Web page", "text/html", "html:read_html", (".html", ".htm", ".xhtml", ".xht"),
        other_media_types=("application/xhtml+xml",), is_text=True,
    ),
    Format(
        "json", "JSON", "application/json", "data:read_json",
        (".json", ".geojson", ".ipynb", ".webmanifest"), is_text=True, is_data=True,
    ),
    Format(
        "jsonl", "JSON lines", "application/x-ndjson", "data:read_json_lines",
        (".jsonl", ".ndjson"), is_text=True, is_data=True,
    ),
    Format(
        "md", "Markdown", "text/markdown", "markdown:read_markdown",
        (".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd"), is_text=True,
    ),
    Format(
        "msg", "Outlook message", "application/vnd.ms-outlook", "mail:read_msg", (".msg",),
        is_text=False,
    ),
    Format(
        "odp", "OpenDocument presentation", f"{_OPEN_DOCUMENT}.presentation",
        "old_office:read_old_office", (".odp",),
        is_text=False,
    ),
    Format(
        "ods", "OpenDocument spreadsheet", f"{_OPEN_DOCUMENT}.spreadsheet",
        "old_office:read_old_office", (".ods",),
        is_text=False,
    ),
    Format(
        "odt", "OpenDocument text", f"{_OPEN_DOCUMENT}.text", "pandoc:read_with_pandoc",
        (".odt",),
        is_text=False,
    ),
    Format("org", "Org document", "text/org", "pandoc:read_with_pandoc", (".org",), is_text=True),
    Format("pdf", "PDF", "application/pdf", "pdf:read_pdf", (".pdf",), is_text=False),
    Format(
        "ppt", "PowerPoint presentation", "application/vnd.ms-powerpoint",
        "old_office:read_old_office", (".ppt", ".pps", ".pot"),
        is_text=False,
    ),
    Format(
        "pptx", "PowerPoint presentation", f"{_OFFICE}.presentationml.presentation",
        "slides:read_pptx", (".pptx", ".pptm", ".ppsx"),
        is_text=False,
    ),
    Format(
        "rst", "reStructuredText", "text/x-rst", "restructured_text:read_restructured_text",
        (".rst", ".rest"), is_text=True,
    ),
    Format(
        "rtf", "Rich text", "application/rtf", "pandoc:read_with_pandoc", (".rtf",),
        other_media_types=("text/rtf",),
        is_text=False,
    ),
    Format(
        "tsv", "TSV table", "text/tab-separated-values", "spreadsheets:read_separated_values",
        (".tsv", ".tab"), is_text=True,
    ),
    Format(
        "txt", "Plain text", "text/plain", "plain_text:read_plain_text", (".txt",), is_text=True
    ),
    Format(
        "xls", "Excel workbook", "application/vnd.ms-excel", "spreadsheets:read_xls",
        (".xls", ".xlt"),
        is_text=False,
    ),
    Format(
        "xlsx", "Excel workbook", f"{_OFFICE}.spreadsheetml.sheet", "spreadsheets:read_xlsx",
        (".xlsx", ".xlsm"),
        is_text=False,
    ),
    Format(
        "xml", "XML", "application/xml", "data:read_xml",
        (
            ".xml", ".xsd", ".xsl", ".xslt", ".rss", ".atom", ".svg", ".dita", ".docbook", ".dbk",
            ".wsdl", ".xliff", ".kml",
        ),
        other_media_types=("text/xml",), is_text=True, is_data=True,
    ),
    Format(
        "yaml", "YAML", "application/yaml", "data:read_yaml", (".yaml", ".yml"),
        is_text=True, is_data=True,
    ),
)  # fmt: skip
FORMATS = {row.name: row for row in _FORMATS}
# The media type of each file type (source: IANA, "Media Types").
MEDIA_TYPES = {row.name: row.media_type for row in _FORMATS}


def media_type_of(file_type: str | None) -> str | None:
    """Return the media type of a file type: UNKNOWN for a type without a row, None for None."""
    return None if file_type is None else MEDIA_TYPES.get(file_type, UNKNOWN)


def parser_fingerprint() -> str:
    """Return a hash of all inputs that determine how bytes are parsed.

    It changes when a package or a program is installed. Documents that could not be read before are
    then tried again.
    """
    parts: dict[str, object] = {"parser": PARSER_VERSION}
    for package in _PACKAGES:
        try:
            parts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            parts[package] = None
    parts |= {program: which(program) is not None for program in _PROGRAMS}
    return fingerprint(parts)
