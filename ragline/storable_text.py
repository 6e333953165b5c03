"""Text that Postgres can store.

Postgres has no U+0000 and no lone surrogate (half of a surrogate pair). Both functions replace such
characters one for one, so that the length of the text stays the same. They differ in what replaces
a lone surrogate: documents are stored under ids that `clean_value` has made, so its result must not
change between releases.
"""

from __future__ import annotations

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str) -> str:
    """The text of a document: U+0000 and lone surrogates become U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def clean_value(value: str) -> str:
    """An id, a name, a metadata value or a query: U+0000 becomes U+FFFD, a lone surrogate `?`."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
