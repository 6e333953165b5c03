"""Decodes the bytes of a text file."""

from __future__ import annotations

import codecs
import re

SAMPLE_BYTES = 64 * 1024
# The mark of UTF-32 comes first, because it begins with the mark of UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
MAX_CONTROL_RATIO = 0.02
MAX_BROKEN_RATIO = 0.1


def decode_text(content: bytes, *, declared: str | None = None) -> str:
    """Decode a text file. Newlines do not change, and a byte order mark is left out.

    A byte order mark or valid UTF-8 has precedence over the `declared` encoding, because a declared
    encoding is often wrong. Without a declared encoding, the encoding is guessed. Bytes that cannot
    be decoded become U+FFFD.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    wide = _guess_wide_encoding(content[:SAMPLE_BYTES])
    if wide:
        return content.decode(wide, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_legacy(content, declared)


def looks_like_text(content: bytes) -> bool:
    """Whether the start of a file is text. Text has few control and few undecodable characters."""
    sample = decode_text(content[:SAMPLE_BYTES])
    return len(_CONTROL.findall(sample)) <= MAX_CONTROL_RATIO * len(sample)


def _guess_wide_encoding(sample: bytes) -> str | None:
    """Detect UTF-16 and UTF-32 without a mark, or return None.

    The criterion is the share of zero bytes. In Latin text, one of two bytes is zero in UTF-16, and
    three of four bytes are zero in UTF-32.
    """
    if b"\x00" not in sample or len(sample) < 8:
        return None
    size = len(sample) // 4
    zero_ratios = [sample[offset::4].count(0) / size for offset in range(4)]
    often = [ratio > 0.4 for ratio in zero_ratios]
    patterns = {
        (False, True, True, True): "utf-32-le",
        (True, True, True, False): "utf-32-be",
        (False, True, False, True): "utf-16-le",
        (True, False, True, False): "utf-16-be",
    }
    return patterns.get((often[0], often[1], often[2], often[3]))


def _decode_legacy(content: bytes, declared: str | None) -> str:
    text = content.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if broken <= MAX_BROKEN_RATIO * (len(_NOT_ASCII.findall(text)) - broken):
        return text  # UTF-8 with a truncated character
    for encoding in (declared, _guess_encoding(content[:SAMPLE_BYTES]), "cp1252"):
        if encoding and _is_known(encoding):
            return content.decode(encoding, "replace")
    return text


def _guess_encoding(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes  # this takes 30 ms, and most files do not need it

    best = from_bytes(sample).best()
    return best.encoding if best else None


def _is_known(encoding: str) -> bool:
    try:
        b"".decode(encoding)
    except LookupError:
        return False
    return True
