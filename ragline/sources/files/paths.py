"""Decides which paths below the root of a source are documents, and makes their ids.

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
    """Decides which paths are documents of a source.

    Patterns have the syntax of `.gitignore`: `**` matches any number of folders, and a pattern
    without a slash matches a name at any depth. A path matches if an `include` pattern matches it
    and no `exclude` pattern does. A name with a leading dot is hidden. A path with a hidden name
    does not match, unless an `include` pattern contains a hidden name. `ignored` is the argument of
    `IgnoredFiles`.
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
        """Whether a file or a folder is left out because its name is hidden."""
        return name.startswith(".") and not self._includes_hidden

    def skips_folder(self, name: str) -> bool:
        """Whether all files in a folder with this name are ignored."""
        return self._ignored.ignores_folder(name)

    def ignores(self, path: str) -> bool:
        """Whether the file at a path is ignored, because a program created it for its own use."""
        return self._ignored.ignores(path)

    def matches_visible(self, path: str) -> bool:
        """Whether a path matches. Hidden names are not checked."""
        is_included = self._includes_all or self._included.match_file(path)
        is_matched = is_included and (self._excludes_none or not self._excluded.match_file(path))
        return is_matched and not self._ignored.ignores(path)

    def matches(self, path: str) -> bool:
        """Whether a path matches. Hidden names are checked too."""
        return not any(map(self.is_hidden, path.split("/"))) and self.matches_visible(path)


def encode_path(path: str) -> str:
    """The document id of a path, in valid Unicode.

    If the path is valid UTF-8, the id is the path. Otherwise each invalid byte becomes `%XX`, and
    each `%` becomes `%25`.
    """
    if is_unicode(path):
        return path
    escaped = path.replace("%", "%25")
    return "".join(
        f"%{ord(character) & 0xFF:02X}" if "\udc80" <= character <= "\udcff" else character
        for character in escaped
    )


def decode_path(document_id: str) -> str:
    """The path of an id that `encode_path` made from a path that is not valid UTF-8."""
    return os.fsdecode(unquote_to_bytes(document_id))


def is_unicode(text: str) -> bool:
    """Whether a text that was decoded with `surrogateescape` was valid UTF-8."""
    return text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text)
