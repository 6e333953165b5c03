"""Paths below the root of a source: which paths are documents, and the id of each path.

The kinds `files` and `git` use it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from pathspec import GitIgnoreSpec

from ragline.sources.files.ignored_files import IgnoredFiles

EVERYTHING = ("**/*",)


class PathPatterns:
    """Which paths are documents of a source.

    Patterns have the syntax of `.gitignore`: `**` crosses folders, and a pattern without a slash
    matches the name at any depth. A file matches when an `include` pattern matches and no
    `exclude` pattern does. Hidden names (with a leading dot) do not match, unless an `include`
    pattern contains such a name. `ignored` is the argument of `IgnoredFiles`.
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
        self._includes_all = tuple(include) == EVERYTHING
        self._excludes_none = not exclude
        self._includes_hidden = any(
            part.startswith(".") for pattern in include for part in pattern.split("/")
        )

    def is_hidden(self, name: str) -> bool:
        """Whether a file or folder of this name, with its contents, is left out as hidden."""
        return name.startswith(".") and not self._includes_hidden

    def skips_folder(self, name: str) -> bool:
        """Whether a folder of this name contains ignored files only."""
        return self._ignored.ignores_folder(name)

    def ignores(self, path: str) -> bool:
        """Whether a path is that of a file which tools create for their own use."""
        return self._ignored.ignores(path)

    def matches_visible(self, path: str) -> bool:
        """Whether a path without hidden names matches."""
        is_included = self._includes_all or self._included.match_file(path)
        is_matched = is_included and (self._excludes_none or not self._excluded.match_file(path))
        return is_matched and not self._ignored.ignores(path)

    def matches(self, path: str) -> bool:
        """Whether a path matches, with a check of hidden names."""
        return not any(map(self.is_hidden, path.split("/"))) and self.matches_visible(path)


def encode_path(path: str) -> str:
    """The id of a path, in valid Unicode. A path that is UTF-8 is unchanged.

    In another path, each invalid byte becomes `%XX`, and `%` becomes `%25`.
    """
    if is_unicode(path):
        return path
    escaped = path.replace("%", "%25")
    return "".join(
        f"%{ord(character) & 0xFF:02X}" if "\udc80" <= character <= "\udcff" else character
        for character in escaped
    )


def decode_path(document_id: str) -> str:
    """The path of an id that `encode_path` made from a path that is not UTF-8."""
    return os.fsdecode(unquote_to_bytes(document_id))


def is_unicode(text: str) -> bool:
    """Whether a text that was decoded with `surrogateescape` was valid UTF-8."""
    return text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text)
