"""Files that are no documents: what tools leave beside documents for themselves.

Lock files, backups, unfinished downloads, and the system's own files, by their names. A setting
changes which; files that only point to a document elsewhere are refused by `ragline.parsing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from typing import Annotated

from pathspec import GitIgnoreSpec
from pydantic import AfterValidator

# Names of files, then of folders (with a slash), by the tool that makes them. Letters are
# compared without case. A name that also is an ordinary document's is not here (`*.old`, `*.lock`).
IGNORED_FILES = (
    # Office programs: locks, unfinished and automatic copies.
    *("~$*", ".~lock.*#", "~*.tmp", "*.wbk", "*.xlk", "*.laccdb", "*.ldb"),
    *("*.dwl", "*.dwl2", "*.sv$", "*.idlk", "*.lck"),
    # Editors: backups, locks, swap files.
    *("*~", "#*#", ".#*", "*.bak", "*.bak[0-9]", "*.backup", "*.swp", "*.swo", "*.swn", "*.swx"),
    *("*.un~", "*.kate-swp", "*.orig", "*.rej"),
    # What is being written or downloaded.
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
    """Refuse what can match no name."""
    for pattern in () if isinstance(ignored, bool) else ignored:
        if not pattern.strip("/") or "/" in pattern.removesuffix("/"):
            raise ValueError(
                f"{pattern!r} is not a pattern of a name; write *.bak for files, backup/ for "
                "folders, and patterns of paths under exclude"
            )
    return ignored


IgnoredNames = Annotated[bool | tuple[str, ...], AfterValidator(check_names)]


class IgnoredFiles:
    """Which files a source ignores by their names.

    `ignored` is True for IGNORED_FILES, False for none, or patterns instead of them. An `include`
    pattern that itself names such a file or folder (`*.bak`, `Thumbs.db`) takes it all the same.
    """

    def __init__(self, ignored: bool | Sequence[str], include: Sequence[str] = ()) -> None:
        stated = (IGNORED_FILES if ignored else ()) if isinstance(ignored, bool) else ignored
        self._files = _compile(name for name in stated if not name.endswith("/"))
        self._folders = _compile(name[:-1] for name in stated if name.endswith("/"))
        named = [pattern for pattern in include if any(map(self._has_name, pattern.split("/")))]
        self._named = GitIgnoreSpec.from_lines(named) if named else None

    def ignores_folder(self, name: str) -> bool:
        """Whether no file in a folder of this name need be looked at."""
        return self._named is None and self._folders.fullmatch(name) is not None

    def ignores(self, path: str) -> bool:
        """Whether a file is ignored, for its own name or for that of a folder above it."""
        *folders, name = path.split("/")
        if not self._files.fullmatch(name) and not any(map(self._folders.fullmatch, folders)):
            return False
        return self._named is None or not self._named.match_file(path)

    def _has_name(self, name: str) -> bool:
        return bool(self._files.fullmatch(name) or self._folders.fullmatch(name))


def _compile(names: Iterable[str]) -> re.Pattern[str]:
    """One pattern for many names; that of none matches nothing."""
    return re.compile("|".join(map(translate, names)) or r"(?!)", re.IGNORECASE)
