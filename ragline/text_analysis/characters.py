"""Gives all encodings of a character one normal form, and removes accents from letters."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_QUOTES = "‘’‚‛ʹʻʼʽˈ′‵´＇ꞌ"
_HYPHENS = "‐‑‒–—―−⁃﹘﹣－"
# Characters between the parts of one word. They become an apostrophe. Postgres then sees two words,
# and the added part contains the joined word.
_JOINTS = "\u200b\u200c·・"
_BLANKS = "…™℠"
_REMOVED = re.compile(
    "[\u00ad\u034f\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u061c\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
    "\u180b-\u180f\u200d-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff9-\ufffb\U000e0100-\U000e01ef]"
)
_REPLACED = {
    **dict.fromkeys(map(ord, _QUOTES + _JOINTS), "'"),
    **dict.fromkeys(map(ord, _HYPHENS), "-"),
    **dict.fromkeys(map(ord, _BLANKS), " "),
    ord("İ"): "i",
    ord("⁄"): "/",
}
# Combining marks. A cluster is the unit of the normalization. It is a character outside ASCII with
# its marks (if any), an ASCII character with marks, a run of Hangul letters or a control character.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0653-\u0655\u093c\u09bc\u09be\u09d7\u0a3c\u0b3c\u0b3e\u0b56\u0b57"
    "\u0bbe\u0bd7\u0c56\u0cc2\u0cd5\u0cd6\u0d3e\u0d57\u0dca\u0dcf\u0ddf\u102e\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u3099\u309a"
)
CLUSTER = re.compile(
    f"[\u1100-\u11ff]+|[^\x00-\x7f][{_MARKS}]*|[\x20-\x7e][{_MARKS}]+|[\x00-\x08\x0b\x0e-\x1f\x7f]"
)

# Letters that Unicode does not decompose, with the plain letters that replace them.
_PLAIN_LETTERS = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th",
        "ı": "i", "ħ": "h", "ŋ": "n", "ŧ": "t", "ё": "е", "ѐ": "е", "ѝ": "и", "ς": "σ",
        "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ة": "ه", "ؤ": "و", "ئ": "ي",
        "ک": "ك", "ی": "ي",
    }
)  # fmt: skip
# Letters that are also written with two letters.
TWO_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})


def normalize_text(text: str) -> str:
    """Return the text with each character in its normal form. The length can change."""
    return CLUSTER.sub(_replace_cluster, text)


def _replace_cluster(match: re.Match[str]) -> str:
    return normalize_cluster(match.group())


@lru_cache(maxsize=16_384)
def normalize_cluster(cluster: str) -> str:
    """Return the normal form of a character with its marks. All of its encodings have this form."""
    if cluster < "\x20" or cluster == "\x7f":
        return " "
    folded = unicodedata.normalize("NFKC", cluster.translate(_REPLACED)).translate(_REPLACED)
    folded = _REMOVED.sub("", folded)
    return "".join(one if one.isascii() else one.lower() for one in folded)


def strip_accents(text: str) -> str:
    """Remove the accents of letters, and write the digits of all scripts as 0 to 9."""
    return "".join(map(_strip_accent, text.translate(_PLAIN_LETTERS)))


@lru_cache(maxsize=4_096)
def _strip_accent(character: str) -> str:
    """Return a Latin or Greek letter without its accents, and a digit as 0 to 9."""
    if character.isascii():
        return character
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    base = unicodedata.normalize("NFD", character)[0]
    if base.isascii() or "\u0370" <= base <= "\u03ff":
        return base
    return character
