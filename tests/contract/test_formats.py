"""The table of formats: each has a reader, its own suffixes, and a row in docs/formats.md."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from broken_files import make_whole_files

from ragline.parsing.file_types import detect_file_type
from ragline.parsing.formats import FORMATS

PAGE = Path(__file__).parent.parent.parent / "docs" / "formats.md"


@pytest.mark.parametrize("name", FORMATS)
def test_format_has_a_reader(name):
    module, _, function = FORMATS[name].reader.partition(":")
    assert callable(getattr(import_module(f"ragline.parsing.readers.{module}"), function))


def test_every_format_has_a_whole_file_that_tests_can_break():
    """LibreOffice converts its formats, and each conversion takes seconds."""
    slow = {row.name for row in FORMATS.values() if row.reader.startswith("old_office:")}
    assert {Path(name).suffix for name in make_whole_files()} == {
        row.suffixes[0] for row in FORMATS.values() if row.name not in slow
    }


@pytest.mark.parametrize(("name", "content"), make_whole_files().items())
def test_whole_file_is_detected_as_its_format(name, content):
    assert Path(name).suffix == FORMATS[detect_file_type(content, name)].suffixes[0]


def test_suffix_and_media_type_belong_to_one_format():
    suffixes = [suffix for row in FORMATS.values() for suffix in row.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in suffixes)
    types = [kind for row in FORMATS.values() for kind in (row.media_type, *row.other_media_types)]
    assert len(types) == len(set(types))


def test_documentation_says_what_every_format_needs():
    table, _, _ = PAGE.read_text(encoding="utf-8").partition("<!-- reference")
    cells = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)[1:]
    names = {name.split()[0] for cell in cells for name in cell.split(", ")}
    assert names == set(FORMATS)
