"""Recognises, by their names, the files that programs create for their own use.

Such files are not documents. Examples are lock files, backups, unfinished downloads and system
files. The setting `ignore_files` can replace the list of names. Files that only point to a document
are recognised by `ragline.parsing.placeholder_files`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from typing import Annotated

from pathspec import GitIgnoreSpec
from pydantic import AfterValidator

# Patterns of names, grouped by the program that creates the files. A pattern with a slash at its
# end matches folders. Patterns ignore case. Names that documents also have, such as `*.old` and
# `*.lock`, are not in the list.
IGNORED_FILES = (
    # Office programs: locks, unfinished and automatic copies.
    *("~$*", ".~lock.*#", "~*.tmp", "*.wbk", "*.xlk", "*.laccdb", "*.ldb"),
    *("*.dwl", "*.dwl2", "*.sv$", "*.idlk", "*.lck"),
    # Editors: backups, locks, swap files.
    *("*~", "#*#", ".#*", "*.bak", "*.bak[0-9]", "*.backup", "*.swp", "*.swo", "*.swn", "*.swx"),
    *("*.un~", "*.kate-swp", "*.orig", "*.rej"),
    # Unfinished writes and downloads.
    *("*.tmp", "*.temp", "*.part", "*.partial", "*.crdownload", "*.download", "*.opdownload"),
    *(
        "*.filepart",
        "*.aria2",
        "*.!ut",
        ".~tmp~*",
        ".syncthing.*",
        ".fuse_hidden*",
        ".nfs[0-9a-f]*",
    ),
    # Operating systems and servers.
    *("thumbs.db", "thumbs.db:*", "ehthumbs*.db", "desktop.ini", ".ds_store", "._*", "icon\r"),
    *(".localized", ".directory", ".apdisk", ".volumeicon.icns", "indexervolumeguid"),
    *(".dropbox", ".dropbox.attr", "*.db-journal", "*.db-wal", "*.db-shm", "*.pyc"),
    *("__macosx/", ".appledouble/", ".spotlight-v100/", ".trashes/", ".trash/", ".trash-*/"),
    *(".fseventsd/", ".temporaryitems/", "$recycle.bin/", "system volume information/"),
    *("lost+found/", "@eadir/", "#recycle/", "#snapshot/", "@recycle/", ".@__thumb/"),
    *(".dropbox.cache/", ".tmp.drivedownload/", ".tmp.driveupload/", "__pycache__/"),
    *(".git/", ".svn/", ".hg/", ".bzr/"),
)


def check_names(ignored: bool | tuple[str, ...]) -> bool | tuple[str, ...]:
    """Check the value of the setting `ignore_files` and return it.

    Raises:
        ValueError: a pattern cannot match a name, because it is empty or contains a slash before
            its end.
    """
    for pattern in () if isinstance(ignored, bool) else ignored:
        if not pattern.strip("/") or "/" in pattern.removesuffix("/"):
            raise ValueError(
                f"{pattern!r} is not a pattern of a name; write *.bak for files, backup/ for "
                "folders, and patterns of paths under exclude"
            )
    return ignored


IgnoredNames = Annotated[bool | tuple[str, ...], AfterValidator(check_names)]


class IgnoredFiles:
    """Decides which files a source ignores because of their names.

    `ignored` is True for the patterns of IGNORED_FILES, False for no pattern, or a list of other
    patterns. An `include` pattern can name an ignored file or folder, such as `*.bak` or
    `Thumbs.db`. The files that match such a pattern are not ignored.
    """

    def __init__(self, ignored: bool | Sequence[str], include: Sequence[str] = ()) -> None:
        patterns = (IGNORED_FILES if ignored else ()) if isinstance(ignored, bool) else ignored
        self._files = _compile(name for name in patterns if not name.endswith("/"))
        self._folders = _compile(name[:-1] for name in patterns if name.endswith("/"))
        included = [
            pattern for pattern in include if any(map(self._matches_name, pattern.split("/")))
        ]
        self._included = GitIgnoreSpec.from_lines(included) if included else None

    def ignores_folder(self, name: str) -> bool:
        """Whether all files in a folder with this name are ignored."""
        return self._included is None and self._folders.fullmatch(name) is not None

    def ignores(self, path: str) -> bool:
        """Whether a file is ignored because of its name or the name of a folder above it."""
        *folders, name = path.split("/")
        if not self._files.fullmatch(name) and not any(map(self._folders.fullmatch, folders)):
            return False
        return self._included is None or not self._included.match_file(path)

    def _matches_name(self, name: str) -> bool:
        return bool(self._files.fullmatch(name) or self._folders.fullmatch(name))


def _compile(names: Iterable[str]) -> re.Pattern[str]:
    """Make one regular expression that matches all names. Without names it matches nothing."""
    return re.compile("|".join(map(translate, names)) or r"(?!)", re.IGNORECASE)
