"""Readers that misbehave, for the tests of the limits; run in a parser's process."""

from __future__ import annotations

import os
import time

from ragline.parsing.parsed_document import ParsedDocument


def read_forever(_content: bytes, _file_type: str) -> ParsedDocument:
    while True:
        time.sleep(1)


def read_greedily(_content: bytes, _file_type: str) -> ParsedDocument:
    hoard = []
    while True:
        hoard.append(bytearray(b"x" * (16 << 20)))


def read_and_die(_content: bytes, _file_type: str) -> ParsedDocument:
    os._exit(7)
