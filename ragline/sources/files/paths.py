"""Paths below a source's root: which are taken, and what id a path has.

For the kinds whose documents are files: `files` and `git`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from pathspec import GitIgnoreSpec

from ragline.sources.files.ignored_files import IgnoredFiles

EVERYTHING = ("**/*",)


class PathPatterns:
    """Which paths a source takes.

    Patterns are those of `.gitignore`: `**` crosses folders, and a pattern without a slash
    matches the name at any depth. A file is taken when an `include` pattern matches it and no
    `exclude` pattern does. Names that begin with a dot are left out unless an `include` pattern
    itself names one. What is `ignored` is `ignored_files`.
    """

    def __init__(
        self,
        include: Sequence[str],
        exclude: Sequence[str],
        ignored: bool | Sequence[str] = True,
    ) -> None:
        self._ignored = IgnoredFiles(ignored, include)
        self._included = GitIgnoreSpec.from_lines(include)
        self._excluded = GitIgnoreSpec.from_lines(exclude)
        self._takes_all = tuple(include) == EVERYTHING
        self._excludes_none = not exclude
        self._takes_hidden = any(
            part.startswith(".") for pattern in include for part in pattern.split("/")
        )

    def hides(self, name: str) -> bool:
        """Whether a file or folder of this name is left out with all that is in it."""
        return name.startswith(".") and not self._takes_hidden

    def skips_folder(self, name: str) -> bool:
        """Whether a folder of this name, which is not hidden, need not be looked into."""
        return self._ignored.ignores_folder(name)

    def ignores(self, path: str) -> bool:
        """Whether a path is that of a file which tools leave for themselves."""
        return self._ignored.ignores(path)

    def match(self, path: str) -> bool:
        """Whether the patterns take a path none of whose names is hidden."""
        is_included = self._takes_all or self._included.match_file(path)
        is_taken = is_included and (self._excludes_none or not self._excluded.match_file(path))
        return is_taken and not self._ignored.ignores(path)

    def take(self, path: str) -> bool:
        """Whether a path is taken, from its whole alone."""
        return not any(map(self.hides, path.split("/"))) and self.match(path)


def encode_path(path: str) -> str:
    """A path as an id that is valid Unicode; nearly every path as it is.

    In a path that is not UTF-8, the bytes that are not become `%XX`, and a `%` becomes `%25`.
    """
    if is_unicode(path):
        return path
    escaped = path.replace("%", "%25")
    return "".join(
        f"%{ord(character) & 0xFF:02X}" if "\udc80" <= character <= "\udcff" else character
        for character in escaped
    )


def decode_path(document_id: str) -> str:
    """The path that `encode_path` made an id of, if it was one that is not UTF-8."""
    return os.fsdecode(unquote_to_bytes(document_id))


def is_unicode(text: str) -> bool:
    """Whether a text that came as bytes (`surrogateescape`) was valid UTF-8."""
    return text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text)
