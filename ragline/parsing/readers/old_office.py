"""Reads formats that LibreOffice converts first: doc, ppt, odp, ods."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from shutil import which

from ragline.errors import BrokenDocumentError, EncryptedDocumentError, UnsupportedFormatError
from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.readers.slides import read_pptx
from ragline.parsing.readers.spreadsheets import read_xlsx
from ragline.parsing.readers.word import read_docx

_CONVERTED = {
    "doc": ("docx", read_docx),
    "ppt": ("pptx", read_pptx),
    "odp": ("pptx", read_pptx),
    "ods": ("xlsx", read_xlsx),
}
CONVERT_TIMEOUT_S = 50


def read_old_office(content: bytes, file_type: str) -> ParsedDocument:
    """Convert the file and read the result. LibreOffice gets a temporary profile."""
    program = which("soffice")
    if program is None:
        raise UnsupportedFormatError(f"reading {file_type} needs LibreOffice (soffice); install it")
    target, read = _CONVERTED[file_type]
    with tempfile.TemporaryDirectory(prefix="ragline-office-") as name:
        folder = Path(name)
        source = folder / f"document.{file_type}"
        source.write_bytes(content)
        output = _convert(program, source, target)
        converted = folder / f"document.{target}"
        if not converted.is_file():
            if "password" in output.lower():
                raise EncryptedDocumentError("the document is protected by a password")
            raise BrokenDocumentError(f"LibreOffice cannot read it as {file_type}")
        return read(converted.read_bytes(), file_type)


def _convert(program: str, source: Path, target: str) -> str:
    command = [
        program, f"-env:UserInstallation={(source.parent / 'profile').as_uri()}",
        "--headless", "--norestore", "--nolockcheck", "--nodefault",
        "--convert-to", target, "--outdir", str(source.parent), str(source),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=CONVERT_TIMEOUT_S, text=True
        )
    except subprocess.TimeoutExpired as error:
        raise BrokenDocumentError(
            f"LibreOffice did not convert it within {CONVERT_TIMEOUT_S} s"
        ) from error
    return done.stdout + done.stderr
