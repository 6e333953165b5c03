"""Renders inline markup of reStructuredText, such as roles and links, as HTML.

Unknown roles and references are shown as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from markupsafe import Markup

from retrieval_api.page.highlight_markers import MARKERS, TextWriter, remove_markers
from retrieval_api.page.links import write_link

Targets = Mapping[str, str]

_TARGET = re.compile(
    r"^[ \t]*\.\. _`?(?P<name>[^`:\n]+)`?:[ \t]*(?:\n[ \t]+)?(?P<link>\S+)[ \t]*$", re.MULTILINE
)
_S = f"[{MARKERS}]*"
_INLINE = re.compile(
    rf"""
    ``(?P<literal>.{{1,1000}}?)``
    | :(?P<role>[A-Za-z][\w:.+-]*):`(?P<interpreted>[^`]{{1,500}})`
    | `(?P<named>[^`<>]{{0,500}})<(?P<address>[^`<>\s]{{1,2000}})>`{_S}__?
    | `(?P<quoted>[^`]{{1,500}})`(?P<is_reference>{_S}__?(?!\w))?
    | (?P<note>\[(?:\d+|\#[\w-]*|\*|[A-Za-z][\w.-]*)\]{_S}_)(?![\w(])
    | (?<![\w*])\*\*(?P<strong>(?=\S).{{1,500}}?(?<=\S))\*\*(?!\w)
    | (?<![\w*])\*(?P<emphasis>(?=[^\s*]).{{1,500}}?(?<=[^\s*]))\*(?![\w*])
    | \|(?P<substitution>[^|\s](?:[^|\n]{{0,100}}[^|\s])?)\|_?(?!\w)
    | (?P<url>https?://[^\s<>\"'`]{{1,2000}}[^\s<>\"'`.,;:!?)\]}}])
    | (?<![\w_`.])(?P<word>[A-Za-z0-9{MARKERS}]+(?:[-.+][A-Za-z0-9{MARKERS}]+)*)_(?![\w`])
    | \\(?P<escaped>.|\n)
    """,
    re.VERBOSE | re.DOTALL,
)
_TITLED = re.compile(r"(?P<title>.*?)\s*<(?P<target>[^<>]*)>", re.DOTALL)
_NUMBERED = {
    "pep": ("PEP ", "https://peps.python.org/pep-{:04}/"),
    "rfc": ("RFC ", "https://www.rfc-editor.org/rfc/rfc{}"),
}
_TEXT_ROLES = frozenset([
    "ref", "doc", "term", "numref", "any", "abbr", "emphasis", "strong", "title",
    "title-reference", "t", "download", "sub", "sup", "subscript", "superscript",
    "menuselection", "guilabel", "eq",
])  # fmt: skip


def find_targets(text: str) -> Targets:
    """Return the web addresses in a text's link definitions, by their names in lower case."""
    return {
        " ".join(found["name"].lower().split()): found["link"]
        for found in _TARGET.finditer(text)
        if found["link"].startswith(("http://", "https://"))
    }


def write_inline(text: str, targets: Targets, writer: TextWriter) -> Markup:
    """Convert the inline markup of a part of the text to HTML."""
    written, position = Markup(), 0
    for found in _INLINE.finditer(text):
        written += writer.write(text[position : found.start()])
        kind = found.lastgroup if found.lastgroup in _WRITERS else _find_kind(found)
        written += _WRITERS[kind](found, targets, writer)
        position = found.end()
    return written + writer.write(text[position:])


def _find_kind(found: re.Match[str]) -> str:
    return next(kind for kind in _WRITERS if found[kind] is not None)


def _write_literal(found: re.Match[str], _targets: Targets, writer: TextWriter) -> Markup:
    return Markup("<code>{}</code>").format(writer.write(found["literal"]))


def _write_role(found: re.Match[str], _targets: Targets, writer: TextWriter) -> Markup:
    role, text = remove_markers(found["role"]).lower(), found["interpreted"]
    titled = _TITLED.fullmatch(text)
    shown = titled["title"] if titled and remove_markers(titled["title"]).strip() else text
    number = remove_markers(titled["target"] if titled else text).strip()
    name = role.rpartition(":")[2]
    if name in _NUMBERED and number.isascii() and number.isdigit() and len(number) < 6:
        prefix, address = _NUMBERED[name]
        label = "" if titled else prefix
        return Markup("{}{}{}</a>").format(
            write_link(address.format(int(number))), label, writer.write(shown)
        )
    if name in _TEXT_ROLES:
        return writer.write(shown)
    is_shortened = shown is text and remove_markers(text).startswith("~")
    if is_shortened:
        shown = text[text.index("~") + 1 :]
        shown = shown[remove_markers(shown).rfind(".") + 1 :] if MARKERS[0] not in text else shown
    return Markup("<code>{}</code>").format(writer.write(shown.lstrip("!")))


def _write_named(found: re.Match[str], _targets: Targets, writer: TextWriter) -> Markup:
    address = remove_markers(found["address"])
    shown = found["named"] if remove_markers(found["named"]).strip() else found["address"]
    if address.endswith("_"):
        return writer.write(shown)
    return Markup("{}{}</a>").format(write_link(address), writer.write(shown.strip()))


def _write_quoted(found: re.Match[str], targets: Targets, writer: TextWriter) -> Markup:
    if found["is_reference"]:
        return _write_reference(found["quoted"], targets, writer)
    return Markup("<cite>{}</cite>").format(writer.write(found["quoted"]))


def _write_word(found: re.Match[str], targets: Targets, writer: TextWriter) -> Markup:
    return _write_reference(found["word"], targets, writer)


def _write_reference(text: str, targets: Targets, writer: TextWriter) -> Markup:
    address = targets.get(" ".join(remove_markers(text).lower().split()))
    if address is None:
        return writer.write(text)
    return Markup("{}{}</a>").format(write_link(address), writer.write(text))


def _write_note(found: re.Match[str], _targets: Targets, writer: TextWriter) -> Markup:
    return Markup("<sup>{}</sup>").format(writer.write(found["note"].rstrip(f"_{MARKERS}")))


def _write_strong(found: re.Match[str], _targets: Targets, writer: TextWriter) -> Markup:
    return Markup("<strong>{}</strong>").format(writer.write(found["strong"]))


def _write_emphasis(found: re.Match[str], _targets: Targets, writer: TextWriter) -> Markup:
    return Markup("<em>{}</em>").format(writer.write(found["emphasis"]))


def _write_substitution(found: re.Match[str], _targets: Targets, writer: TextWriter) -> Markup:
    return writer.write(found["substitution"])


def _write_url(found: re.Match[str], _targets: Targets, writer: TextWriter) -> Markup:
    return Markup("{}{}</a>").format(
        write_link(remove_markers(found["url"])), writer.write(found["url"])
    )


def _write_escaped(found: re.Match[str], _targets: Targets, writer: TextWriter) -> Markup:
    """Write the character after a backslash. Escaped white space is removed."""
    return writer.write(found["escaped"].strip())


_WRITERS: dict[str, Callable[[re.Match[str], Targets, TextWriter], Markup]] = {
    "literal": _write_literal,
    "interpreted": _write_role,
    "address": _write_named,
    "quoted": _write_quoted,
    "note": _write_note,
    "strong": _write_strong,
    "emphasis": _write_emphasis,
    "substitution": _write_substitution,
    "url": _write_url,
    "word": _write_word,
    "escaped": _write_escaped,
}
