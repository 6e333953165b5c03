"""The words of a query, and what a document has of each: the word itself, only parts, or nothing.

A document has a word in any of its equal forms: ERR-4021 in `err 4021`, Müller in `Mueller`. The
keyword leg also matches parts of an identifier; a part is told as a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from ragline.search.candidates import LiveGeneration
from ragline.storage.generation_tables import load_generation_statement
from ragline.text_analysis import WordForms, analyze_text, is_written_in, list_word_forms

MOST_WORDS = 200
MOST_PARTS = 50


@dataclass(frozen=True, slots=True)
class QueryWord:
    """A word of the query, and who has it. `entry_count` is of the whole index.

    `parts` are those that the document has of a word that it does not have itself.
    """

    word: str
    entry_count: int
    is_in_document: bool
    is_in_chunk: bool
    parts: tuple[str, ...] = ()

    @property
    def is_matched(self) -> bool:
        """Whether the document has the word or a part of it."""
        return self.is_in_document or bool(self.parts)


def list_partial_words(words: Sequence[QueryWord]) -> list[str]:
    """The words of which a document has only parts, each with these parts."""
    return [f"{word.word} ({', '.join(word.parts)})" for word in words if word.parts]


def read_query_words(
    connection: Connection,
    generation: LiveGeneration,
    queries: Sequence[str],
    document_key: int,
    entry_id: int,
) -> tuple[QueryWord, ...]:
    """The words of all wordings, each once, without those that the language leaves out."""
    words = list(dict.fromkeys(" ".join(queries).split()))[:MOST_WORDS]
    language = generation.language
    analysed = [analyze_text(word, language, generation.analysis_version) for word in words]
    forms = [list_word_forms(word, language) for word in words]
    statement = load_generation_statement("search/select_query_words", generation.id)
    parameters = {
        "generation_id": generation.id,
        "language": language,
        "words": [one.main for one in analysed],
        "forms": [one.added for one in analysed],
        "equal": [" ".join(one.equal) for one in forms],
        "document_key": document_key,
        "entry_id": entry_id,
    }
    found: list[QueryWord] = []
    texts: dict[int, str] | None = None
    for row in connection.execute(statement, parameters).all():
        word = words[row.position - 1]
        shown = word.strip(".,;:!?\"'()[]{}«»„“”")
        one = QueryWord(shown, row.entry_count, row.is_in_document, row.is_in_chunk)
        if row.is_matched and not one.is_in_chunk:
            texts = _read_texts(connection, generation, document_key) if texts is None else texts
            one = _find_written(one, texts, entry_id, language)
        if row.is_matched and not one.is_in_document:
            own = forms[row.position - 1]
            one = replace(one, parts=_find_parts(connection, generation, own, document_key))
        found.append(one)
    return tuple(found)


def _read_texts(
    connection: Connection, generation: LiveGeneration, document_key: int
) -> dict[int, str]:
    statement = load_generation_statement("search/select_entry_texts", generation.id)
    rows = connection.execute(statement, {"document_key": document_key})
    return {row.id: row.text for row in rows}


def _find_written(
    word: QueryWord, texts: dict[int, str], entry_id: int, language: str
) -> QueryWord:
    """The word where the texts have it in a form that is no lexeme, such as `err 4021`."""
    having = {id_ for id_, text in texts.items() if is_written_in(word.word, text, language)}
    if not having:
        return word
    return replace(
        word,
        entry_count=max(word.entry_count, len(having)),
        is_in_document=True,
        is_in_chunk=entry_id in having,
    )


def _find_parts(
    connection: Connection, generation: LiveGeneration, forms: WordForms, document_key: int
) -> tuple[str, ...]:
    """The parts that a document has, the longest ones: 3.11 and not 11 beside it."""
    parts = forms.parts[:MOST_PARTS]
    equal = [list_word_forms(part, generation.language).equal for part in parts]
    parameters = {
        "forms": [" ".join(one) for one in equal],
        "document_key": document_key,
        "language": generation.language,
    }
    statement = load_generation_statement("search/select_had_forms", generation.id)
    had = [parts[row.position - 1] for row in connection.execute(statement, parameters)]
    return tuple(part for part in had if not any(part != other and part in other for other in had))
