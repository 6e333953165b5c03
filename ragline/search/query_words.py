"""Finds out whether a document contains a query's word, only parts of the word, or nothing of it.

A document contains a word if it contains one of the word's equal forms. For example, `err 4021`
contains ERR-4021, and `Mueller` contains Müller. The keyword leg also matches parts of an
identifier. Such a match is reported as a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from ragline.search.live_generation import LiveGeneration
from ragline.storage.generation_tables import load_generation_statement
from ragline.text_analysis import WordForms, analyze_text, is_written_in, list_word_forms

MAX_WORDS = 200
MAX_PARTS = 50


@dataclass(frozen=True, slots=True)
class QueryWord:
    """A word of the query, and whether the document and its best chunk contain it.

    `entry_count` is the number of entries of the whole index that contain the word. If the document
    does not contain the word itself, `parts` are the parts that it contains.
    """

    word: str
    entry_count: int
    is_in_document: bool
    is_in_chunk: bool
    parts: tuple[str, ...] = ()

    @property
    def is_matched(self) -> bool:
        """Whether the document contains the word or a part of it."""
        return self.is_in_document or bool(self.parts)


def list_partial_words(words: Sequence[QueryWord]) -> list[str]:
    """Return the words of which a document contains only parts, each with these parts."""
    return [f"{word.word} ({', '.join(word.parts)})" for word in words if word.parts]


def read_query_words(
    connection: Connection,
    generation: LiveGeneration,
    queries: Sequence[str],
    document_key: int,
    entry_id: int,
) -> tuple[QueryWord, ...]:
    """Return the words of all queries, each once, without the stop words of the language."""
    words = list(dict.fromkeys(" ".join(queries).split()))[:MAX_WORDS]
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
            one = _find_in_texts(one, texts, entry_id, language)
        if row.is_matched and not one.is_in_document:
            of_word = forms[row.position - 1]
            one = replace(one, parts=_find_parts(connection, generation, of_word, document_key))
        found.append(one)
    return tuple(found)


def _read_texts(
    connection: Connection, generation: LiveGeneration, document_key: int
) -> dict[int, str]:
    statement = load_generation_statement("search/select_entry_texts", generation.id)
    rows = connection.execute(statement, {"document_key": document_key})
    return {row.id: row.text for row in rows}


def _find_in_texts(
    word: QueryWord, texts: dict[int, str], entry_id: int, language: str
) -> QueryWord:
    """Return the word, marked as contained in the document if one of its texts contains the word.

    `texts` are the texts of the document's entries by id. `entry_id` is the entry of the best
    chunk. A text can contain the word in a form of several lexemes, such as `err 4021` for
    ERR-4021.
    """
    ids = {id_ for id_, text in texts.items() if is_written_in(word.word, text, language)}
    if not ids:
        return word
    return replace(
        word,
        entry_count=max(word.entry_count, len(ids)),
        is_in_document=True,
        is_in_chunk=entry_id in ids,
    )


def _find_parts(
    connection: Connection, generation: LiveGeneration, forms: WordForms, document_key: int
) -> tuple[str, ...]:
    """Return the parts of a word that a document contains.

    A part of a longer part is left out: 3.11 is returned, and 11 is not.
    """
    parts = forms.parts[:MAX_PARTS]
    equal = [list_word_forms(part, generation.language).equal for part in parts]
    parameters = {
        "forms": [" ".join(one) for one in equal],
        "document_key": document_key,
        "language": generation.language,
    }
    statement = load_generation_statement("search/select_matching_forms", generation.id)
    found = [parts[row.position - 1] for row in connection.execute(statement, parameters)]
    return tuple(
        part for part in found if not any(part != other and part in other for other in found)
    )
