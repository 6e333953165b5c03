"""Finds the forms of the words of a query, and whether a text contains a word."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from ragline.text_analysis.characters import TWO_LETTERS, normalize_text, strip_accents
from ragline.text_analysis.word_forms import (
    NUMBER,
    PART,
    SEGMENT,
    UMLAUT_PAIRS,
    UNSPACED_RUN,
    WORD,
    Form,
    add_plain_forms,
    find_tokens,
    join_words,
    list_beginnings,
    list_own_words,
    list_pairs,
    list_parts,
    read_language,
)


@dataclass(frozen=True, slots=True)
class WordForms:
    """The forms of a word of a query.

    `equal` are the forms of the whole word, as an analysed text contains them. `parts` are the
    parts of the word, as the query contains them.
    """

    equal: tuple[str, ...]
    parts: tuple[str, ...]


def list_word_forms(word: str, language: str) -> WordForms:
    """Return the forms of a word that contains no white space.

    For example, ERR-4021 has the equal form err4021 and the parts ERR and 4021.
    """
    name, main = read_language(language), normalize_text(word)
    segments = SEGMENT.findall(main)
    equal = _list_equal_forms(segments, name)
    parts = list(segments) if len(segments) > 1 else []
    for segment in segments:
        words = list_own_words(segment, name)
        parts += words if len(words) > 1 else []
        for one in words:
            found = list_parts(one, 0, len(one), min_chars=1)
            parts += [one[part.start : part.end] for part in found]
            parts += [pair.text for pair in list_pairs(one, 0, len(one))]
        for number in NUMBER.findall(segment):
            parts += [form.text for form in list_beginnings(0, number)]
    known = {text.lower() for text in (main, *equal)}
    return WordForms(
        tuple(equal), tuple(part for part in dict.fromkeys(parts) if part.lower() not in known)
    )


def list_whole_forms(text: str, language: str) -> str:
    """Return the forms of the whole words of a text, without the parts of identifiers.

    The words of a compound such as input/output are whole words, too. This does not apply to a
    compound that contains a digit.
    """
    name, main = read_language(language), normalize_text(text)
    found: list[str] = []
    for match in find_tokens(main, name):
        token = match.group()
        found += _list_equal_forms(SEGMENT.findall(token), name)
        if not any(character.isdigit() for character in token):
            for word in WORD.findall(token):
                found += [one.text for one in add_plain_forms(Form(word.lower(), 0, 0), name)]
    return " ".join(found)


def is_written_in(word: str, text: str, language: str) -> bool:
    """Whether a text contains a whole word.

    Spaces and separators in the word and in the text are ignored.
    """
    name = read_language(language)
    texts = _join_all(normalize_text(text), name)
    main = normalize_text(word)
    wanted = {
        " ".join(" ".join(list_own_words(one, name)) for one in SEGMENT.findall(spelling))
        for spelling in (main, unquote(main, errors="replace"))
    }
    sought = {joined for one in wanted for joined in _join_all(one, name) if joined}
    return any(
        _contains_between(joined, bounds, one) for joined, bounds in texts.items() for one in sought
    )


def _contains_between(joined: str, bounds: set[int], sought: str) -> bool:
    """Whether `sought` occurs in `joined` so that it begins and ends at one of the bounds."""
    at = joined.find(sought)
    while at >= 0:
        if at in bounds and at + len(sought) in bounds:
            return True
        at = joined.find(sought, at + 1)
    return False


def _join_all(main: str, language: str) -> dict[str, set[int]]:
    """Join the words of a text without separators, and return where each word begins or ends.

    The keys are the joined texts, in lower case: one for each way to spell letters with accents.
    The values are the positions in the joined text at which a word begins or ends.
    """
    pieces = [
        piece.lower()
        for part in PART.findall(main)
        for piece in (part if UNSPACED_RUN.match(part) else [part])
    ]
    found: dict[str, set[int]] = {}
    for spelling in range(len(_list_plain_spellings("", language))):
        bounds, length, texts = {0}, 0, []
        for piece in pieces:
            texts.append(_list_plain_spellings(piece, language)[spelling])
            length += len(texts[-1])
            bounds.add(length)
        found["".join(texts)] = bounds
    return found


def _list_plain_spellings(text: str, language: str) -> list[str]:
    """Return the spellings of a word without accents. An umlaut becomes one or two letters."""
    texts = [strip_accents(text), strip_accents(text.translate(TWO_LETTERS))]
    if language == "german":
        texts.append(UMLAUT_PAIRS.sub(r"\1", texts[1]))
    return texts


def _list_equal_forms(segments: list[str], language: str) -> list[str]:
    """Return the forms of a whole word. Several segments, such as an address, have no form."""
    if len(segments) != 1:
        return []
    [segment] = segments
    words = list_own_words(segment, language)
    if len(words) == 1:
        forms = [Form(words[0].lower(), 0, 0)]
    elif NUMBER.fullmatch(segment):
        forms = [Form(segment, 0, 0)]
    else:
        forms = join_words(segment, 0, language)
    return [form.text for one in forms for form in add_plain_forms(one, language)]
