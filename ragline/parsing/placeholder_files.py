"""Recognises placeholder files: pointers and shortcuts to a document in another location.

The content of such a file is an address or a hash and not the text of the document. So it is not
indexed. `ragline.sources.files.ignored_files` names files that are not documents.
"""

from __future__ import annotations

import re

_GOOGLE = "a pointer to a document in Google Drive; export it, or use the connector google_drive"
_SHORTCUT = "a shortcut to another location; list its target instead"
_DOWNLOAD = "a placeholder of a file that is stored in the cloud only; download the file"
_KINDS_BY_SUFFIX = {
    suffix: kind
    for kind, suffixes in {
        _GOOGLE: "gdoc gsheet gslides gdraw gform gmap gsite gtable gjam gscript glink gnote gddoc",
        _SHORTCUT: "url website webloc lnk desktop weblink gshortcut",
        _DOWNLOAD: "icloud cloud cloudf rclonelink",
        "a pointer to a Dropbox Paper document; export it as Word or Markdown": "paper papert",
        "a pointer of DVC to a file; run `dvc pull`, and list the file": "dvc",
    }.items()
    for suffix in suffixes.split()
}
MAX_PLACEHOLDER_BYTES = 16_384
_STARTS = (
    (
        re.compile(rb"version https://(?:git-lfs\.github|hawser\.github)\.com/spec/v\d"),
        "a pointer of Git LFS to a file that is not downloaded; fetch it with `git lfs pull`",
    ),
    (
        re.compile(rb"[./]*(?:\.git)?/annex/objects/\S+\s*$|/annex/objects/\S+\n"),
        "a pointer of git-annex to a file that is not downloaded; fetch it with `git annex get`",
    ),
    (re.compile(rb"\s*\[InternetShortcut(?:\.\w+)?\]\s*[\r\n]", re.IGNORECASE), _SHORTCUT),
    (re.compile(rb"\s*\[Desktop Entry\]\s*[\r\n]"), _SHORTCUT),
    (re.compile(rb"L\0\0\0\x01\x14\x02\0"), _SHORTCUT),
    (re.compile(rb"(?:XSym\n\d{4}\n[0-9a-f]{32}\n|!<symlink>|IntxLNK\x01)"), _SHORTCUT),
)


def describe_placeholder(content: bytes, suffix: str) -> str | None:
    """Return what a placeholder is and what to do about it, or None for an ordinary file.

    `suffix` is the suffix of the file name, in lower case and with the dot.
    """
    if len(content) > MAX_PLACEHOLDER_BYTES:
        return None
    by_suffix = _KINDS_BY_SUFFIX.get(suffix[1:])
    if by_suffix is not None:
        return by_suffix
    return next((kind for start, kind in _STARTS if start.match(content)), None)
