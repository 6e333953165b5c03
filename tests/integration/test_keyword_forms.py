"""The keyword leg finds identifiers by their parts, and words in each of their forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ragline.configuration import Configuration
from ragline.lifecycle.run_context import RunContext
from ragline.search.messages import Hit, SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database

IDENTIFIERS = {
    "err.md": "When the winch stops with ERR-4021 the fuse is blown.",
    "version.md": "Upgrade to Python 3.11.7 and PostgreSQL 18.1; release v2.3.0-rc1 is broken.",
    "path.md": "Edit /etc/lamp/lamp-control.conf and then photo-2024.jpg in the folder.",
    "camel.md": "The class HttpRequestHandler answers; see getUserByEmailAddress too.",
    "cve.md": "We should discuss CVE-2026-2332 before the release.",
    "part.md": "The impeller is part DS-7604NI-E1/4P and the seal is part 55c+40c+H282.",
    "host.md": "The machine db01.harbour.example is the primary; mail goes to "
    "pilot@harbour.example and the page is https://wiki.harbour.example/display/OPS/Mooring+plan.",
    "names.md": "Call ragline.search.explain_document or MAX_OPEN_FILES; see App\\Http\\Kernel.",
    "near.md": "ERR-4022 is another fault, CVE-2026-9999 another advisory, db02.pier.example too.",
}
WORDS = {
    "apos.md": "O'Brien's boat; rock 'n' roll. The café was renovated. Fiancé and naïve.",
    "shy.md": "The break\u00adwater protects the ma\u00adri\u00adna; the zero\u200bwidth sign too.",
    "mueller.md": "Frau Müller und Herr Weiß leiten das Hafenamt in der Hauptstraße.",
    "decomposed.md": "Rene\u0301 keeps the Ga\u0308rtnerei.",
    "forms.md": "ＡＢＣ１２３ of the ﬁnance oﬃce, İstanbul and Łódź, Sørensen.",
    "russian.md": "Ёлка стоит у за\u0301мка.",
    "arabic.md": "م\u064fح\u064eم\u064e\u0651د وأحمد",
    "greek.md": "Ο λιμένας της Αθήνας.",
    "cjk.md": "東京都の天気は晴れです。Linuxカーネルを使う。",
}
FRENCH = {
    "phare.md": "Le phare a été rénové à Brest; l'éclusier s'appelle Hervé.",
    "peche.md": "La pêche côtière est fermée en février.",
    "autre.md": "Le port est ouvert toute la semaine.",
}
Find = Callable[..., list[Hit]]


@pytest.fixture
def index(
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], dict[str, Any]],
    database: Database,
    tmp_path: Path,
) -> Callable[..., Find]:
    def build(texts: dict[str, str], language: str = "english") -> Find:
        folder = tmp_path / "docs"
        folder.mkdir()
        for name, text in texts.items():
            (folder / name).write_text(f"# Note\n\n{text}\n", encoding="utf-8")
        configuration = configure(
            f"collections:\n  - {{name: docs, language: {language}}}\n"
            "sources:\n  - {name: docs, collection: docs, kind: files, uri: ./docs}\n"
        )
        run_stages(make_run_context(configuration))
        searcher = Searcher(database, configuration)

        def find(query: str, **options: Any) -> list[Hit]:
            request = SearchRequest("docs", query, 3, "keyword", highlight=True, **options)
            return list(searcher.search(request).hits)

        return find

    return build


def check(find: Find, expected: dict[str, str]) -> None:
    found = {query: next((hit.document_id for hit in find(query)), None) for query in expected}
    assert found == expected


def test_identifiers_are_found_as_a_whole_and_by_their_parts(index: Callable[..., Find]):
    find = index(IDENTIFIERS)
    queries = {
        "err.md": "ERR-4021|err 4021|4021|ERR4021|error ERR\u20114021|err\u22124021|ERR_4021",
        "cve.md": "CVE-2026-2332|2332|CVE 2026 2332|cve20262332",
        "part.md": "DS-7604NI-E1/4P|DS-7604NI|7604NI|55c+40c+H282|H282|ds7604ni",
        "camel.md": "HttpRequestHandler|request handler|getUserByEmailAddress|email address",
        "path.md": "/etc/lamp/lamp-control.conf|lamp-control.conf|lamp control|photo-2024.jpg|"
        "photo 2024|photo|etc/lamp",
        "host.md": "db01.harbour.example|db01|harbour|pilot@harbour.example|pilot|mooring plan|"
        "wiki|harbour.example|Mooring%20plan",
        "version.md": "3.11.7|Python 3.11|18.1|v2.3.0-rc1|2.3.0|rc1|3.11",
        "names.md": "explain_document|explain document|ragline.search|MAX_OPEN_FILES|open files|"
        "Kernel|App\\Http\\Kernel|maxopenfiles",
    }
    check(find, {query: name for name, asked in queries.items() for query in asked.split("|")})


def test_words_are_found_in_every_form(index: Callable[..., Find]):
    find = index(WORDS)
    queries = {
        "apos.md": "O'Brien|OBrien|O\u2019Brien|o\u2018brien|cafe|café|"
        "cafe\u0301|CAFÉ|fiance|rock 'n' roll|naive",
        "shy.md": "breakwater|marina|zerowidth|width|break\u00adwater",
        "mueller.md": "Mueller|Muller|Müller|Mu\u0308ller|Weiss|WEISS|Hauptstrasse|hafenamt",
        "decomposed.md": "René|Rene|Gärtnerei|Gaertnerei|Gartnerei",
        "forms.md": "ABC123|ＡＢＣ１２３|finance|ﬁnance|office|Istanbul|İSTANBUL|"
        "ıstanbul|Lodz|Łódź|Sorensen|Soerensen",
        "russian.md": "елка|ёлка|ЕЛКА|замка",
        "arabic.md": "محمد|واحمد|مــحمد",
        "greek.md": "λιμενας|ΛΙΜΕΝΑΣ|Αθηνας",
        "cjk.md": "天気|東京|東京都の天気|カーネル|linux",
    }  # fmt: skip
    check(find, {query: name for name, asked in queries.items() for query in asked.split("|")})


def test_french_is_found_with_and_without_accents_and_elision(index: Callable[..., Find]):
    find = index(FRENCH, "french")
    queries = {
        "phare.md": "renove|rénové|éclusier|l'éclusier|l\u2019éclusier|"
        "eclusier|Herve|l\u2019eclusier",
        "peche.md": "peche cotiere|pêches côtières|fermee fevrier|PECHE",
    }  # fmt: skip
    check(find, {query: name for name, asked in queries.items() for query in asked.split("|")})


@pytest.mark.parametrize(
    ("language", "text", "queries"),
    [
        ("german", "Herr Mueller und die Häuser am Fuß", "Müller|Muller|Haeuser|hauser|fuss"),
        ("russian", "Ёлки и за\u0301мок", "елки|ёлка|замок"),
        ("arabic", "م\u064fح\u064eم\u064e\u0651د أحمد", "محمد|احمد|أحمد"),
        ("simple", "港の天気 café", "天気|cafe|港の"),
        ("spanish", "El año y la canción del muelle", "ano|cancion|canción|muelles"),
        ("turkish", "İstanbul'da ışık var", "istanbul|ışık|isik"),
    ],
)  # fmt: skip
def test_each_language_finds_its_forms(
    index: Callable[..., Find], language: str, text: str, queries: str
):
    find = index({"a.md": text, "b.md": "something else entirely"}, language)
    check(find, dict.fromkeys(queries.split("|"), "a.md"))


def test_exact_form_ranks_first(index: Callable[..., Find]):
    find = index({
        "plain.md": "The cafe at the quay.", "accent.md": "The café at the quay.",
        "whole.md": "Fault ERR-4021 of the pump.", "parts.md": "Fault ERR of pump 4021.",
    })  # fmt: skip
    assert [hit.document_id for hit in find("café")] == ["accent.md", "plain.md"]
    assert {hit.document_id for hit in find("cafe")} == {"accent.md", "plain.md"}
    assert [hit.document_id for hit in find("ERR-4021")] == ["whole.md", "parts.md"]


def test_part_of_an_unknown_identifier_counts_less_than_a_word(index: Callable[..., Find]):
    find = index({
        "seven.md": "The zebrafish7 gauge.", "eight.md": "The zebrafish8 gauge.",
        "manual.md": "The manual of the zzz pump.", "accent.md": "Herr Mueller.",
    })  # fmt: skip

    def score(query: str) -> float:
        return find(query)[0].score

    whole, part = score("zebrafish7"), score("zebrafish77777")
    assert find("zebrafish7")[0].document_id == "seven.md"
    assert 0 < part < 0.3 * whole
    assert find("zebrafish77777 manual")[0].document_id == "manual.md"
    # An equal form counts in full, even if no text has the form of the query.
    assert score("Müller") == pytest.approx(score("Mueller"))
    assert score("quay/pump") == pytest.approx(score("pump"))


@pytest.mark.parametrize(
    ("query", "name", "marked"),
    [
        ("4021", "err.md", ["4021"]),
        ("ERR4021", "err.md", ["ERR-4021"]),
        ("db01", "host.md", ["db01"]),
        ("handler", "camel.md", ["Handler"]),
        ("breakwater", "shy.md", ["break\u00adwater"]),
        ("OBrien", "apos.md", ["O'Brien"]),
        ("cafe", "apos.md", ["café"]),
        ("Rene", "decomposed.md", ["Rene\u0301"]),
        ("abc123", "forms.md", ["ＡＢＣ１２３"]),
        ("天気", "cjk.md", ["天気"]),
        ("renovated", "apos.md", ["renovated"]),
    ],
)
def test_highlights_are_spans_of_the_original_text(
    index: Callable[..., Find], query: str, name: str, marked: list[str]
):
    find = index({name: {**IDENTIFIERS, **WORDS}[name], "other.md": "Nothing of that kind."})
    hit = find(query)[0]
    assert hit.highlights is not None
    assert hit.text is not None
    assert [hit.text[one.start : one.end] for one in hit.highlights] == marked
