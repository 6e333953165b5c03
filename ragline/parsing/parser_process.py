"""The process that parses documents: `python -m ragline.parsing.parser_process`.

It receives one document after another through its pipe, and it sends the result of each. The
libraries of the readers are imported here and never in the process of the pool (`parser_pool`).
"""

from __future__ import annotations

import json
import os
import sys
from multiprocessing.connection import Connection

from ragline.errors import DocumentError, ParserMemoryError
from ragline.parsing.parser_protocol import READY, encode_result
from ragline.parsing.process_limits import die_with_parent, leave_network, limit_memory
from ragline.parsing.readers.dispatch import ReaderDispatch


def main() -> None:
    """Parse the documents that come through the pipe, until its other end is closed."""
    options = json.loads(sys.argv[1])
    die_with_parent(options["parent_pid"])
    leave_network()
    connection = Connection(options["pipe"])
    # A program that a reader starts must not keep the pipe open.
    os.set_inheritable(options["pipe"], False)

    registry = ReaderDispatch(options["readers"])
    registry.import_common_readers()
    limit_memory(options["memory_limit_bytes"])
    connection.send_bytes(READY)
    _serve(connection, registry)


def _serve(connection: Connection, registry: ReaderDispatch) -> None:
    while True:
        try:
            name = connection.recv_bytes().decode()
            content = connection.recv_bytes()
        except EOFError:
            return
        connection.send_bytes(_answer(registry, content, name))


def _answer(registry: ReaderDispatch, content: bytes, name: str) -> bytes:
    try:
        return encode_result(registry.parse_document(content, name))
    except DocumentError as error:
        return encode_result(error)
    except MemoryError:
        return encode_result(
            ParserMemoryError("its text needs more memory than the limit of one document")
        )


if __name__ == "__main__":
    main()
