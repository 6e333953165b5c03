"""Placeholder files are refused with a reason and never read as text."""

from __future__ import annotations

import json

import pytest

from ragline.errors import UnsupportedFormatError
from ragline.parsing.file_types import detect_file_type

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
GOOGLE = json.dumps({"url": "https://docs.google.com/open?id=1", "doc_id": "1"}).encode()
PLACEHOLDERS = {
    "manual.pdf": (LFS, "Git LFS"),
    "manual.md": (LFS, "Git LFS"),
    "manual": (LFS, "Git LFS"),
    "annexed.pdf": (b"/annex/objects/SHA256E-s5--ab.pdf\n", "git-annex"),
    "locked.pdf": (b"../.git/annex/objects/xx/yy/SHA256E-s5--ab.pdf/SHA256E-s5--ab.pdf", "annex"),
    "plan.gdoc": (GOOGLE, "Google Drive"),
    "plan.GSHEET": (GOOGLE, "Google Drive"),
    ".plan.pdf.icloud": (b"bplist00\xd2", "in the cloud only"),
    "wiki.url": (b"[InternetShortcut]\r\nURL=https://wiki.example/\r\n", "shortcut"),
    "wiki.txt": (b"[InternetShortcut]\r\nURL=https://wiki.example/\r\n", "shortcut"),
    "wiki.webloc": (b"<plist><dict><key>URL</key></dict></plist>", "shortcut"),
    "wiki.desktop": (b"[Desktop Entry]\nType=Link\nURL=https://wiki.example/\n", "shortcut"),
    "wiki.lnk": (b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F", "shortcut"),
    "link.md": (b"XSym\n0004\n0cc175b9c0f1b6a831c399e269772661\na.md\n", "shortcut"),
    "model.bin.dvc": (b"outs:\n- md5: a304afb96060aad90176268345e10355\n", "DVC"),
}


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_placeholder_is_unsupported_with_a_remedy(name):
    content, said = PLACEHOLDERS[name]
    with pytest.raises(UnsupportedFormatError, match=said):
        detect_file_type(content, name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("about.md", b"# Pointers\n\nversion https://git-lfs.github.com/spec/v1 begins one.\n"),
        ("about.txt", b"A file begins with [InternetShortcut] where it is one.\n"),
        ("about.md", b"Objects lie in .git/annex/objects/ and elsewhere.\n"),
    ],
)
def test_text_about_placeholders_is_text(name, content):
    assert detect_file_type(content, name) in {"md", "txt"}
