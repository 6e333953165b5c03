"""Files that are not documents: tools create them next to documents for their own use.

They are lock files, backups, unfinished downloads and system files, recognised by name. A setting
changes the names. `ragline.parsing.placeholder_files` recognises files that only point to a
document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from typing import Annotated

from pathspec import GitIgnoreSpec
from pydantic import AfterValidator

# Names of files, then of folders (with a slash), by the tool that creates them. Case does not
# matter. Names that ordinary documents also have are not in the list (`*.old`, `*.lock`).
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
    """Refuse a pattern that cannot match a name."""
    for pattern in () if isinstance(ignored, bool) else ignored:
        if not pattern.strip("/") or "/" in pattern.removesuffix("/"):
            raise ValueError(
                f"{pattern!r} is not a pattern of a name; write *.bak for files, backup/ for "
                "folders, and patterns of paths under exclude"
            )
    return ignored


IgnoredNames = Annotated[bool | tuple[str, ...], AfterValidator(check_names)]


class IgnoredFiles:
    """Which files a source ignores by name.

    `ignored` is True for IGNORED_FILES, False to ignore no file, or other patterns. An `include`
    pattern that names such a file or folder (`*.bak`, `Thumbs.db`) includes it again.
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
        """Whether all files in a folder of this name are ignored."""
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
    """One regular expression that matches all names. Without names it matches nothing."""
    return re.compile("|".join(map(translate, names)) or r"(?!)", re.IGNORECASE)
