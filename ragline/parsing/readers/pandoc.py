"""Reads formats that pandoc converts to HTML first: epub, odt, org, rtf."""

from __future__ import annotations

import subprocess
from functools import cache
from shutil import which

from ragline.errors import BrokenDocumentError, UnsupportedFormatError
from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.readers.html import read_html_text


def read_with_pandoc(content: bytes, file_type: str) -> ParsedDocument:
    """Convert the document and read the result. Pandoc's sandbox prevents access to other files."""
    command = [
        find_pandoc(file_type),
        "--sandbox",
        f"--from={file_type}",
        "--to=html",
        "--standalone",
    ]
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise BrokenDocumentError(f"pandoc cannot read it: {lines[-1] if lines else 'no reason'}")
    return read_html_text(done.stdout.decode("utf-8", "replace"), file_type)


@cache
def find_pandoc(file_type: str) -> str:
    """Find the program pandoc on PATH or in the package pypandoc-binary."""
    found = which("pandoc")
    if found is not None:
        return found
    try:
        import pypandoc

        return str(pypandoc.get_pandoc_path())
    except (ImportError, OSError) as error:
        raise UnsupportedFormatError(
            f"reading {file_type} needs pandoc; install it, or: pip install 'ragline[pandoc]'"
        ) from error
