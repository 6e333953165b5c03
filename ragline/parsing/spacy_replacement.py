"""Replaces the spaCy model that `unstructured` would download to classify paragraphs.

`unstructured` needs the words and the sentences of a text, and it needs to know which words are
verbs. Approximate values are sufficient, because they only decide between its classes Title and
NarrativeText. Ragline takes headings from the formats. Only parser processes use this module.
"""

from __future__ import annotations

import importlib
import re
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

MODEL = "en_core_web_sm"
_WORD = re.compile(r"\w+|[^\w\s]")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+")
_VERB = re.compile(
    r"(am|is|are|was|were|be|been|being|has|have|had|do|does|did|can|could|will|would|shall|should"
    r"|may|might|must|let|get|got|make|made|see|say|said|go|went|use|need|\w{3,}(ed|ing|ise|ize|ify))",
    re.IGNORECASE,
)


class Token(NamedTuple):
    text: str
    tag_: str


class Sentence(NamedTuple):
    text: str


class TaggedText:
    """The tokens and sentences of a text, as far as `unstructured` needs them."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __iter__(self) -> object:
        for word in _WORD.findall(self._text):
            yield Token(word, "VB" if _VERB.fullmatch(word) else "NN")

    @property
    def sents(self) -> list[Sentence]:
        return [Sentence(part) for part in _SENTENCE_END.split(self._text) if part]


class OfflineTagger:
    """Has the interface of a spaCy pipeline: a call with a text returns its tokens."""

    max_length = 1_000_000

    def __call__(self, text: str) -> TaggedText:
        return TaggedText(text)


def install_offline_tagger() -> None:
    """Make `unstructured` work offline. If a spaCy model is installed, it is used.

    Call this before the first import of an `unstructured.partition` module. Without a spaCy model,
    spaCy is not imported, which saves 2 s and 150 MB. With a model, spaCy's import of PyTorch is
    prevented, because spaCy does not need it here. This saves 1.6 s and 160 MB. Source:
    measurements with this code.
    """
    if find_spec(MODEL) is not None:
        sys.modules.setdefault("torch", None)  # type: ignore[arg-type]
        return
    if "unstructured.nlp.tokenize" not in sys.modules and "spacy" not in sys.modules:
        sys.modules["spacy"] = ModuleType("spacy")
        try:
            importlib.import_module("unstructured.nlp.tokenize")
        finally:
            del sys.modules["spacy"]
    tokenize: Any = importlib.import_module("unstructured.nlp.tokenize")
    # This name of `unstructured` is private. So its minor version is pinned, and a test covers this
    # line.
    tokenize._get_nlp = OfflineTagger  # noqa: SLF001
