"""Detects the language of a text."""

from __future__ import annotations

import re

SAMPLE_CHARS = 1500
MIN_LETTERS = 40
MIN_PROBABILITY = 0.9
_WORDS = re.compile(r"[^\W\d_]+")


def detect_language(text: str) -> str | None:
    """Return the ISO 639-1 code of a text's language, or None if the text is too short or mixed.

    The result depends only on the text. The seed of the detector is fixed for this reason.
    """
    from langdetect import DetectorFactory, LangDetectException, detect_langs

    sample = " ".join(_WORDS.findall(text[: 4 * SAMPLE_CHARS]))[:SAMPLE_CHARS]
    if len(sample.replace(" ", "")) < MIN_LETTERS:
        return None
    DetectorFactory.seed = 0
    try:
        best = detect_langs(sample)[0]
    except LangDetectException:  # the text has no features of a language
        return None
    return str(best.lang)[:2] if best.prob >= MIN_PROBABILITY else None
