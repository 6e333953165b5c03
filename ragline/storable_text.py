"""Replaces the characters of a text that Postgres cannot store.

These are U+0000 and lone surrogates. A lone surrogate is one half of a surrogate pair. `clean_text`
and `clean_value` replace each such character by one character, so the length of the text stays the
same. They differ in the character that replaces a lone surrogate. The result of `clean_value` must
not change between releases, because stored document ids were made with it.
"""

from __future__ import annotations

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Replace U+0000 and lone surrogates in the text of a document by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def clean_value(value: str) -> str:
    """Clean an id, a name, a metadata value or a query.

    U+0000 becomes U+FFFD. A lone surrogate becomes `?`.
    """
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
