"""The analysis of text for the keyword leg: one for entries, queries and highlights.

An analysed text has two parts. The main part is the text itself, normalised: composed characters,
no soft hyphens and invisible signs, one kind of quote and hyphen. The added part holds other forms
of its words: parts of identifiers, identifiers without their separators, words without accents.
Postgres makes lexemes of both (`ragline.make_lexemes` in sql/migrations); what it makes of the main
part by itself is not counted twice. The text that is stored and shown is never changed.

A generation keeps the version that it was built with and its queries are analysed by the same one.
Change the version when the output changes: the next sync then builds a new generation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

VERSION = "1"
# The raw text went to Postgres. Kept for generations that were built so.
RAW: str | None = None

LONGEST_JOINED_CHARS = 64
MOST_JOINED_WORDS = 6
MOST_PARTS = 8
LONGEST_KEPT_CHARS = 64

_QUOTES = "‘’‚‛ʹʻʼʽˈ′‵´＇ꞌ"
_HYPHENS = "‐‑‒–—―−⁃﹘﹣－"
# Between the parts of one word: Postgres sees two words, the added part has the whole.
_JOINTS = "\u200b\u200c·・"
_BLANKS = "…™℠"
_REMOVED = re.compile(
    "[\u00ad\u034f\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u061c\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
    "\u180b-\u180f\u200d-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff9-\ufffb\U000e0100-\U000e01ef]"
)
_BEFORE = {
    **dict.fromkeys(map(ord, _QUOTES + _JOINTS), "'"),
    **dict.fromkeys(map(ord, _HYPHENS), "-"),
    **dict.fromkeys(map(ord, _BLANKS), " "),
    ord("İ"): "i",
    ord("⁄"): "/",
}
# A character that is not ASCII, with the marks that belong to it; or an ASCII letter with marks.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0653-\u0655\u093c\u09bc\u09be\u09d7\u0a3c\u0b3c\u0b3e\u0b56\u0b57"
    "\u0bbe\u0bd7\u0c56\u0cc2\u0cd5\u0cd6\u0d3e\u0d57\u0dca\u0dcf\u0ddf\u102e\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u3099\u309a"
)
_CLUSTER = re.compile(
    f"[\u1100-\u11ff]+|[^\x00-\x7f][{_MARKS}]*|[\x20-\x7e][{_MARKS}]+|[\x00-\x08\x0b\x0e-\x1f\x7f]"
)

# A word that Postgres takes for one, and which has no other form; most words of most texts.
_PLAIN = r"[\"'(\[{*_]*(?:[A-Za-z]?[a-z]+|[A-Z]+|[0-9]+)[\"')\]}*_.,;:!?]*(?!\S)"
_CHUNK = re.compile(rf"(?<!\S)(?!{_PLAIN})\S+")
_GERMAN_CHUNK = re.compile(rf"(?<!\S)(?!(?!\S*?[aouAOU]e){_PLAIN})\S+")
_SEGMENT = re.compile(r"[^\W_]+(?:(?:[.'-]|_+)[^\W_]+)*")
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)+")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
# Scripts whose words are not parted by blanks.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
_SMALL = f"[^\\W_A-Z0-9{_UNSPACED}]"
_PART = re.compile(f"[{_UNSPACED}]+|[0-9]+|[A-Z]+(?!{_SMALL})|[A-Z]?{_SMALL}+")

# Letters that no decomposition leads to: their plain form, and a second one.
_PLAIN_LETTERS = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th",
        "ı": "i", "ħ": "h", "ŋ": "n", "ŧ": "t", "ё": "е", "ѐ": "е", "ѝ": "и", "ς": "σ",
        "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ة": "ه", "ؤ": "و", "ئ": "ي",
        "ک": "ك", "ی": "ي",
    }
)  # fmt: skip
_TWO_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_UMLAUT_PAIRS = re.compile(r"(?<![aeiouqäöü])([aou])e(?![iu])")
# What English puts behind an apostrophe; "don't" has two words, as Postgres sees it.
_ENDINGS = ("s", "t", "ll", "re", "ve", "d", "m")
_ELIDING = ("french", "italian", "catalan")
_ELIDED = re.compile(
    r"(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu|dell|nell|sull|all|dall|un|quest|quell)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Analysis:
    """An analysed text: its main part, and the added forms of its words."""

    main: str
    added: str


@dataclass(frozen=True, slots=True)
class TracedText:
    """Main and added part in one text; for each of its characters the span it comes from."""

    text: str
    starts: list[int]
    ends: list[int]

    def find_span(self, start: int, end: int) -> tuple[int, int]:
        """Where a part of the analysed text stands in the original."""
        return self.starts[start], self.ends[end - 1]


@dataclass(frozen=True, slots=True)
class WordForms:
    """What a word of a query may be written as, and the parts that it has, as it is written.

    `equal` are the forms of the word itself that are words of their own in an analysed text.
    """

    equal: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Form:
    """Another form of a part of a text, and where that part is."""

    text: str
    start: int
    end: int


def analyze_text(text: str, language: str, version: str | None = VERSION) -> Analysis:
    """Both parts of a text as a version of the analysis sees it. `language` is a configuration
    of Postgres, by its name.
    """
    if version == RAW:
        return Analysis(text.replace("\0", " "), "")
    main = _CLUSTER.sub(_replace_cluster, text)
    return Analysis(main, " ".join(form.text for form in _list_forms(main, _read_name(language))))


def trace_text(text: str, language: str, version: str | None = VERSION) -> TracedText:
    """As `analyze_text`, with the way back to the original."""
    if version == RAW:
        places = list(range(len(text)))
        return TracedText(text.replace("\0", " "), places, [place + 1 for place in places])
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    reached = 0
    for match in [*_CLUSTER.finditer(text), None]:
        until = len(text) if match is None else match.start()
        parts.append(text[reached:until])
        starts += range(reached, until)
        ends += range(reached + 1, until + 1)
        if match is not None:
            folded = _fold_cluster(match.group())
            parts.append(folded)
            starts += [match.start()] * len(folded)
            ends += [match.end()] * len(folded)
            reached = match.end()
    main = "".join(parts)
    for form in _list_forms(main, _read_name(language)):
        parts += [" ", form.text]
        starts += [starts[form.start]] * (len(form.text) + 1)
        ends += [ends[form.end - 1]] * (len(form.text) + 1)
    return TracedText("".join(parts), starts, ends)


def list_word_forms(word: str, language: str) -> WordForms:
    """The forms of one word without blanks: ERR-4021 is err4021, and has the parts ERR and 4021."""
    name, main = _read_name(language), _CLUSTER.sub(_replace_cluster, word)
    segments = _SEGMENT.findall(main)
    equal = _list_equal_forms(segments, name)
    parts = list(segments) if len(segments) > 1 else []
    for segment in segments:
        words = _list_own_words(segment, name)
        parts += words if len(words) > 1 else []
        for one in words:
            found = _list_parts(one, 0, len(one), shortest=1)
            parts += [one[part.start : part.end] for part in found]
            parts += [pair.text for pair in _list_pairs(one, 0, len(one))]
        for number in _NUMBER.findall(segment):
            parts += [form.text for form in _list_beginnings(0, number)]
    known = {text.lower() for text in (main, *equal)}
    return WordForms(
        tuple(equal), tuple(part for part in dict.fromkeys(parts) if part.lower() not in known)
    )


def list_whole_forms(text: str, language: str) -> str:
    """The forms of a text's words that are the words themselves, and no parts of identifiers.

    What a sign joins are words too, as in input/output, unless there is a digit among them.
    """
    name, main = _read_name(language), _CLUSTER.sub(_replace_cluster, text)
    chunks = _GERMAN_CHUNK if name == "german" else _CHUNK
    found: list[str] = []
    for chunk in chunks.findall(main):
        segments = _SEGMENT.findall(chunk)
        found += _list_equal_forms(segments, name)
        if not any(sign.isdigit() for sign in chunk):
            for word in _WORD.findall(chunk):
                found += [one.text for one in _add_plain_forms(_Form(word.lower(), 0, 0), name)]
    return " ".join(found)


def is_written_in(word: str, text: str, language: str) -> bool:
    """Whether a text has a word whole, wherever either of them has blanks and separators."""
    name = _read_name(language)
    texts = _join_all(_CLUSTER.sub(_replace_cluster, text), name)
    main = _CLUSTER.sub(_replace_cluster, word)
    wanted = {
        " ".join(" ".join(_list_own_words(one, name)) for one in _SEGMENT.findall(writing))
        for writing in (main, unquote(main, errors="replace"))
    }
    sought = {joined for one in wanted for joined in _join_all(one, name) if joined}
    return any(
        _has_between(joined, bounds, one) for joined, bounds in texts.items() for one in sought
    )


def _has_between(joined: str, bounds: set[int], sought: str) -> bool:
    at = joined.find(sought)
    while at >= 0:
        if at in bounds and at + len(sought) in bounds:
            return True
        at = joined.find(sought, at + 1)
    return False


def _join_all(main: str, language: str) -> dict[str, set[int]]:
    """The letters and digits of a text, as they may be written, and the bounds of its parts."""
    pieces = [
        piece.lower()
        for part in _PART.findall(main)
        for piece in (part if _UNSPACED_RUN.match(part) else [part])
    ]
    found: dict[str, set[int]] = {}
    for writing in range(len(_list_plain_writings("", language))):
        bounds, length, texts = {0}, 0, []
        for piece in pieces:
            texts.append(_list_plain_writings(piece, language)[writing])
            length += len(texts[-1])
            bounds.add(length)
        found["".join(texts)] = bounds
    return found


def _list_plain_writings(text: str, language: str) -> list[str]:
    """A word without accents, with one letter and with two for an umlaut; always as many."""
    texts = [_strip_accents(text), _strip_accents(text.translate(_TWO_LETTERS))]
    if language == "german":
        texts.append(_UMLAUT_PAIRS.sub(r"\1", texts[1]))
    return texts


def _list_equal_forms(segments: list[str], language: str) -> list[str]:
    """The forms of a whole word; none of one such as an address, which has several segments."""
    if len(segments) != 1:
        return []
    [segment] = segments
    words = _list_own_words(segment, language)
    if len(words) == 1:
        forms = [_Form(words[0].lower(), 0, 0)]
    elif _NUMBER.fullmatch(segment):
        forms = [_Form(segment, 0, 0)]
    else:
        forms = _join_words(segment, 0, language)
    return [form.text for one in forms for form in _add_plain_forms(one, language)]


def _list_own_words(segment: str, language: str) -> list[str]:
    """The words of a compound, without an elided article and what English puts behind one."""
    words = _WORD.findall(segment)
    if len(words) > 1 and "'" in segment:
        if words[-1].lower() in _ENDINGS:
            return words[:-1]
        if language in _ELIDING and _ELIDED.match(words[0]):
            return words[1:]
    return words


def _read_name(language: str) -> str:
    """The bare name of a configuration."""
    return language.strip().rpartition(".")[2].strip('"').lower()


def _replace_cluster(match: re.Match[str]) -> str:
    return _fold_cluster(match.group())


@lru_cache(maxsize=16_384)
def _fold_cluster(cluster: str) -> str:
    """A character with its marks in the one form that all its writings share."""
    if cluster < "\x20" or cluster == "\x7f":
        return " "
    folded = unicodedata.normalize("NFKC", cluster.translate(_BEFORE)).translate(_BEFORE)
    folded = _REMOVED.sub("", folded)
    return "".join(sign if sign.isascii() else sign.lower() for sign in folded)


def _list_forms(main: str, language: str) -> Iterator[_Form]:
    chunks = _GERMAN_CHUNK if language == "german" else _CHUNK
    for match in chunks.finditer(main):
        chunk, base = match.group(), match.start()
        expand = _expand_kept if len(chunk) <= LONGEST_KEPT_CHARS else _expand
        for form in expand(chunk, language):
            yield _Form(form.text, base + form.start, base + form.end)


def _expand(chunk: str, language: str) -> tuple[_Form, ...]:
    """The other forms of a run of characters without blanks, each once at its place."""
    found: list[_Form] = []
    for match in _SEGMENT.finditer(chunk):
        found += _expand_segment(chunk, match, language)
    if _ESCAPED.search(chunk):
        words = _WORD.findall(unquote(chunk, errors="replace"))
        found += [_Form(word.lower(), 0, len(chunk)) for word in words]
    forms = dict.fromkeys(form for one in found for form in _add_plain_forms(one, language))
    return tuple(forms)


_expand_kept: Callable[[str, str], tuple[_Form, ...]] = lru_cache(maxsize=16_384)(_expand)


def _expand_segment(chunk: str, match: re.Match[str], language: str) -> list[_Form]:
    """Words with their parts, words without what joins them, numbers with their beginnings."""
    base, segment = match.start(), match.group()
    words = [(base + word.start(), base + word.end()) for word in _WORD.finditer(segment)]
    found: list[_Form] = []
    for start, end in words:
        if end - start > 1:
            found.append(_Form(chunk[start:end].lower(), start, end))
        found += _list_parts(chunk, start, end)
        found += _list_pairs(chunk, start, end)
    for number in _NUMBER.finditer(segment):
        found += _list_beginnings(base + number.start(), number.group())
    found += _join_words(segment, base, language)
    pieces = list(re.finditer(r"[^.]+", segment))
    if len(pieces) > 1:
        for piece in pieces:
            found += _join_words(piece.group(), base + piece.start(), language)
    return found


def _list_parts(chunk: str, start: int, end: int, shortest: int = 2) -> list[_Form]:
    """The parts of a word that is written with capitals or digits inside, such as HttpRequest."""
    word = chunk[start:end]
    parts = list(_PART.finditer(word))
    if not 1 < len(parts) <= MOST_PARTS or len(word) < 2 * len(parts):
        return []
    return [
        _Form(part.group().lower(), start + part.start(), start + part.end())
        for part in parts
        if len(part.group()) >= shortest
    ]


def _list_pairs(chunk: str, start: int, end: int) -> list[_Form]:
    """Each two neighbouring characters of scripts that have no blanks between words."""
    return [
        _Form(chunk[at : at + 2], at, at + 2)
        for run in _UNSPACED_RUN.finditer(chunk, start, end)
        for at in range(run.start(), run.end() - 1)
    ]


def _list_beginnings(start: int, number: str) -> list[_Form]:
    """A dotted number and its beginnings: 3.11.7 and 3.11."""
    parts = number.split(".")[:MOST_PARTS]
    texts = [".".join(parts[:count]) for count in range(2, len(parts) + 1)]
    return [_Form(text, start, start + len(text)) for text in texts]


def _join_words(segment: str, start: int, language: str) -> list[_Form]:
    """A compound without what joins it: ERR-4021 as err4021, O'Brien as obrien."""
    words = _WORD.findall(segment)
    if "'" in segment and words[-1].lower() in _ENDINGS:
        segment = segment[: segment.rindex("'")]
        words = words[:-1]
    joined = "".join(words).lower()
    if not 1 < len(words) <= MOST_JOINED_WORDS or len(joined) > LONGEST_JOINED_CHARS:
        return []
    if _NUMBER.fullmatch(segment) or segment[0] == "0":
        return []
    if "'" in segment and language in _ELIDING and _ELIDED.match(words[0]):
        return []
    return [_Form(joined, start, start + len(segment))]


def _add_plain_forms(form: _Form, language: str) -> list[_Form]:
    """A form, and how it is written without accents."""
    texts = [form.text]
    if not form.text.isascii():
        texts += [_strip_accents(form.text), _strip_accents(form.text.translate(_TWO_LETTERS))]
    if language == "german":
        texts += [_UMLAUT_PAIRS.sub(r"\1", text) for text in texts]
    return [_Form(text, form.start, form.end) for text in dict.fromkeys(texts)]


def _strip_accents(text: str) -> str:
    return "".join(map(_strip_accent, text.translate(_PLAIN_LETTERS)))


@lru_cache(maxsize=4_096)
def _strip_accent(sign: str) -> str:
    """A letter without its accents, where its script has them as such; a digit as 0 to 9."""
    if sign.isascii():
        return sign
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    base = unicodedata.normalize("NFD", sign)[0]
    if base.isascii() or "\u0370" <= base <= "\u03ff":
        return base
    return sign
