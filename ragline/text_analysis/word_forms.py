"""Makes the added forms of words.

An added form is a further spelling under which the keyword leg finds a word. The added forms are
parts of identifiers, identifiers without separators, and words without accents.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from ragline.text_analysis.characters import TWO_LETTERS, strip_accents

MAX_JOINED_CHARS = 64
MAX_JOINED_WORDS = 6
MAX_PARTS = 8
# The forms of longer tokens are not cached.
MAX_CACHED_CHARS = 64

# A token that is one word for Postgres and has no other form. Most tokens of most texts are plain.
_PLAIN = r"[\"'(\[{*_]*(?:[A-Za-z]?[a-z]+|[A-Z]+|[0-9]+)[\"')\]}*_.,;:!?]*(?!\S)"
# A token is a run of characters without white space; these patterns skip plain tokens.
_TOKEN = re.compile(rf"(?<!\S)(?!{_PLAIN})\S+")
_GERMAN_TOKEN = re.compile(rf"(?<!\S)(?!(?!\S*?[aouAOU]e){_PLAIN})\S+")
# A segment is a token without the punctuation around it. It consists of words. A word is a run of
# letters and digits.
SEGMENT = re.compile(r"[^\W_]+(?:(?:[.'-]|_+)[^\W_]+)*")
WORD = re.compile(r"[^\W_]+")
NUMBER = re.compile(r"\d+(?:\.\d+)+")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
# Scripts that write no spaces between words.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
_SMALL = f"[^\\W_A-Z0-9{_UNSPACED}]"
PART = re.compile(f"[{_UNSPACED}]+|[0-9]+|[A-Z]+(?!{_SMALL})|[A-Z]?{_SMALL}+")
UMLAUT_PAIRS = re.compile(r"(?<![aeiouqäöü])([aou])e(?![iu])")
# English endings after an apostrophe. Postgres sees two words in "don't".
_ENDINGS = ("s", "t", "ll", "re", "ve", "d", "m")
# Languages that shorten an article before a vowel, and the shortened words.
_ELIDING = ("french", "italian", "catalan")
_ELIDED = re.compile(
    r"(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu|dell|nell|sull|all|dall|un|quest|quell)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Form:
    """An added form, and the span of the text from which it was made.

    `text` is the added form. The span reaches from `start` to `end`, in characters.
    """

    text: str
    start: int
    end: int


def list_forms(main: str, language: str) -> Iterator[Form]:
    """Yield the added forms of a normalized text, in the order of the text."""
    for match in find_tokens(main, language):
        token, base = match.group(), match.start()
        expand = _expand_cached if len(token) <= MAX_CACHED_CHARS else _expand
        for form in expand(token, language):
            yield Form(form.text, base + form.start, base + form.end)


def find_tokens(main: str, language: str) -> Iterator[re.Match[str]]:
    """Find the tokens of a text that can have added forms."""
    return (_GERMAN_TOKEN if language == "german" else _TOKEN).finditer(main)


def _expand(token: str, language: str) -> tuple[Form, ...]:
    """Return the added forms of a token, each once."""
    found: list[Form] = []
    for match in SEGMENT.finditer(token):
        found += _expand_segment(token, match, language)
    if _ESCAPED.search(token):
        words = WORD.findall(unquote(token, errors="replace"))
        found += [Form(word.lower(), 0, len(token)) for word in words]
    forms = dict.fromkeys(form for one in found for form in add_plain_forms(one, language))
    return tuple(forms)


_expand_cached: Callable[[str, str], tuple[Form, ...]] = lru_cache(maxsize=16_384)(_expand)


def _expand_segment(token: str, match: re.Match[str], language: str) -> list[Form]:
    """Return the forms of a segment: words, their parts, joined words, beginnings of numbers."""
    base, segment = match.start(), match.group()
    words = [(base + word.start(), base + word.end()) for word in WORD.finditer(segment)]
    found: list[Form] = []
    for start, end in words:
        if end - start > 1:
            found.append(Form(token[start:end].lower(), start, end))
        found += list_parts(token, start, end)
        found += list_pairs(token, start, end)
    for number in NUMBER.finditer(segment):
        found += list_beginnings(base + number.start(), number.group())
    found += join_words(segment, base, language)
    pieces = list(re.finditer(r"[^.]+", segment))
    if len(pieces) > 1:
        for piece in pieces:
            found += join_words(piece.group(), base + piece.start(), language)
    return found


def list_parts(token: str, start: int, end: int, min_chars: int = 2) -> list[Form]:
    """Return the parts of a word with capitals or digits inside, such as HttpRequest."""
    word = token[start:end]
    parts = list(PART.finditer(word))
    if not 1 < len(parts) <= MAX_PARTS or len(word) < 2 * len(parts):
        return []
    return [
        Form(part.group().lower(), start + part.start(), start + part.end())
        for part in parts
        if len(part.group()) >= min_chars
    ]


def list_pairs(token: str, start: int, end: int) -> list[Form]:
    """Return the pairs of neighbouring characters in scripts without spaces between words."""
    return [
        Form(token[at : at + 2], at, at + 2)
        for run in UNSPACED_RUN.finditer(token, start, end)
        for at in range(run.start(), run.end() - 1)
    ]


def list_beginnings(start: int, number: str) -> list[Form]:
    """Return a dotted number and its beginnings. For 3.11.7, these are 3.11.7 and 3.11."""
    parts = number.split(".")[:MAX_PARTS]
    texts = [".".join(parts[:count]) for count in range(2, len(parts) + 1)]
    return [Form(text, start, start + len(text)) for text in texts]


def list_own_words(segment: str, language: str) -> list[str]:
    """Return the words of a segment, without an elided article and without an English ending."""
    words = WORD.findall(segment)
    if len(words) > 1 and "'" in segment:
        if words[-1].lower() in _ENDINGS:
            return words[:-1]
        if language in _ELIDING and _ELIDED.match(words[0]):
            return words[1:]
    return words


def join_words(segment: str, start: int, language: str) -> list[Form]:
    """Return a compound without its separators: err4021 for ERR-4021, obrien for O'Brien.

    The result is empty if there is nothing to join.
    """
    words = WORD.findall(segment)
    if "'" in segment and words[-1].lower() in _ENDINGS:
        segment = segment[: segment.rindex("'")]
        words = words[:-1]
    joined = "".join(words).lower()
    if not 1 < len(words) <= MAX_JOINED_WORDS or len(joined) > MAX_JOINED_CHARS:
        return []
    if NUMBER.fullmatch(segment) or segment[0] == "0":
        return []
    if "'" in segment and language in _ELIDING and _ELIDED.match(words[0]):
        return []
    return [Form(joined, start, start + len(segment))]


def add_plain_forms(form: Form, language: str) -> list[Form]:
    """Return a form and its spellings without accents."""
    texts = [form.text]
    if not form.text.isascii():
        texts += [strip_accents(form.text), strip_accents(form.text.translate(TWO_LETTERS))]
    if language == "german":
        texts += [UMLAUT_PAIRS.sub(r"\1", text) for text in texts]
    return [Form(text, form.start, form.end) for text in dict.fromkeys(texts)]


def read_language(configuration: str) -> str:
    """Return the name of a text search configuration without schema and quotes, in lower case."""
    return configuration.strip().rpartition(".")[2].strip('"').lower()
