"""Texts of chunks on the page: rendered, highlighted, limited in length, and escaped."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html
from markupsafe import Markup

from ragline.parsing.formats import MEDIA_TYPES
from ragline.search.messages import Highlight
from retrieval_api.page.chunk_text import render_text
from retrieval_api.page.highlight_markers import MARKERS

MARKDOWN, RESTRUCTURED, PLAIN = MEDIA_TYPES["md"], MEDIA_TYPES["rst"], MEDIA_TYPES["txt"]
TYPES = (MARKDOWN, RESTRUCTURED, PLAIN, MEDIA_TYPES["xlsx"], None)
ALLOWED_TAGS = frozenset([
    "a", "blockquote", "br", "cite", "code", "dd", "div", "dl", "dt", "em", "hr", "li", "mark",
    "ol", "p", "pre", "s", "span", "strong", "sup", "table", "tbody", "td", "th", "thead", "tr",
    "ul",
])  # fmt: skip
ALLOWED_ATTRIBUTES = frozenset(["class", "href", "rel", "start", "tabindex", "type"])


def show(text: str, media_type: str | None, *words: str, **options: object) -> Markup:
    """A text with a highlight at the first position of each word."""
    places = sorted((text.index(word), len(word)) for word in words)
    highlights = [Highlight(start, start + length) for start, length in places]
    shown = render_text(text, media_type, highlights=highlights, **options)  # type: ignore[arg-type]
    return shown.first + shown.rest


def check_safe(shown: str) -> None:
    """There are only elements of the renderers, and links lead to web or mail addresses."""
    tree = html.fromstring(f"<section>{shown}</section>")
    for element in tree.iterdescendants():
        assert element.tag in ALLOWED_TAGS, shown
        assert not {*element.attrib} - ALLOWED_ATTRIBUTES, shown
        if "href" in element.attrib:
            assert re.match("(https?://|mailto:)", element.get("href")), shown
            assert "noopener" in element.get("rel")


def words_of(shown: str) -> str:
    return " ".join(html.fromstring(f"<section>{shown}</section>").text_content().split())


def marked_in(shown: str) -> list[str]:
    tree = html.fromstring(f"<section>{shown}</section>")
    return [mark.text_content() for mark in tree.iter("mark")]


def outline(shown: str) -> str:
    """The elements without attributes for style, and without elements that only group."""
    plain = re.sub(r' (?:class|rel|tabindex)="[^"]*"|</?(?:div|thead|tbody)[^>]*>', "", shown)
    return re.sub(r"\n(?=</?t)", "", plain)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Title\n=====\n\nText.", '<p>Title</p>\n<p>Text.</p>'),
        ("Deeper\n^^^^^^\n\nText.", '<p>Deeper</p>\n<p>Text.</p>'),
        ("====\nOver\n====\n\nText.", '<p>Over</p>\n<p>Text.</p>'),
        ("Use ``a < b`` here.", "<p>Use <code>a &lt; b</code> here.</p>"),
        (":func:`~os.path.join` and :ref:`more <label>`.", "<p><code>join</code> and more.</p>"),
        (
            "See :pep:`8`.",
            '<p>See <a href="https://peps.python.org/pep-0008/">PEP 8</a>.</p>',
        ),
        ("A note [#]_ and [2]_.", "<p>A note <sup>[#]</sup> and <sup>[2]</sup>.</p>"),
        ("*very* **strong**", "<p><em>very</em> <strong>strong</strong></p>"),
        ("``field``\\s and `text`_", "<p><code>field</code>s and text</p>"),
        ("- one\n- two\n  more", "<ul><li><p>one</p></li><li><p>two\nmore</p></li></ul>"),
        ("3. three\n4. four", '<ol start="3"><li><p>three</p></li><li><p>four</p></li></ol>'),
        ("As::\n\n  if a:\n      b()\n", '<p>As:</p>\n<pre><code>if a:\n    b()</code></pre>'),
        (".. code:: python\n   :linenos:\n\n   a = 1\n", '<pre><code>a = 1</code></pre>'),
        ("Text.\n\n.. _PEP 1: https://example.org\n\n.. a comment\n", "<p>Text.</p>"),
        (".. [1] A source.", '<span>[1]</span> <p>A source.</p>'),
        (
            "== ==\na  b\n== ==\n1  2\n== ==\n",
            "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>",
        ),
        (
            "+---+---+\n| a | b |\n+===+===+\n| 1 | 2 |\n+---+---+\n",
            "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>",
        ),
        (
            "a 1   b 2\nc 1   d 2",
            "<table><tr><td>a 1</td><td>b 2</td></tr><tr><td>c 1</td><td>d 2</td></tr></table>",
        ),
        (
            ".. note:: Take care.",
            '<p>Note</p><p>Take care.</p>',
        ),
    ],
)  # fmt: skip
def test_restructured_text_is_rendered(text: str, expected: str) -> None:
    assert outline(show(text, RESTRUCTURED)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Title\n\nText *so*.", '<p>Title</p>\n<p>Text <em>so</em>.</p>'),
        ("```rust\nfn a() {}\n```", '<pre><code>fn a() {}</code></pre>'),
        ("[a]: https://example.org\n\nSee [a](b.md).", "<p>See <a>a</a>.</p>"),
        ("![A map](https://example.org/a.png)", '<p><span>Picture: A map</span></p>'),
        ("A Vec<T> of <b>them</b>", "<p>A Vec&lt;T&gt; of them</p>"),
        ("<!-- hidden -->\n\nShown", "<p>Shown</p>"),
        (
            "| a | b |\n|---|---|\n| 1 | 2 |",
            "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>",
        ),
    ],
)  # fmt: skip
def test_markdown_is_rendered(text: str, expected: str) -> None:
    assert outline(show(text, MARKDOWN)) == expected


@pytest.mark.parametrize("media_type", [MARKDOWN, RESTRUCTURED, None])
@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "//evil.example/a", "file:///etc/passwd"]
)
def test_links_lead_only_to_the_web(media_type: str | None, address: str) -> None:
    shown = show(f"[a]({address}) `b <{address}>`_ <{address}> {address}", media_type)
    assert "href" not in shown
    check_safe(shown)


def test_rows_of_a_spreadsheet_are_a_table() -> None:
    shown = show("Staff\nName | Age\nAnn | 44\nBob |  | x", MEDIA_TYPES["xlsx"])
    assert "<th>Name</th><th>Age</th><th></th>" in shown
    assert "<tr><td>Bob</td><td></td><td>x</td></tr>" in shown
    assert "|" not in words_of(shown)


def test_sentence_with_a_separator_is_a_sentence() -> None:
    assert show("Either this | or that.", None) == '<p class="lines">Either this | or that.</p>'


def test_heading_that_the_path_repeats_is_removed() -> None:
    for text, media_type in (
        ("Sick `leave`\n^^^^^^^^^^^^\n\nCall early.", RESTRUCTURED),
        ("Sick `leave`\n\nCall early.", MARKDOWN),
    ):
        shown = render_text(text, media_type, headings=["Leave", "Sick `leave`"])
        assert words_of(shown.first) == "Call early."
    alone = render_text("Sick leave", PLAIN, headings=["Sick leave"])
    assert words_of(alone.first) == "Sick leave"


def test_highlight_in_a_removed_heading_is_in_the_path() -> None:
    text = "Sick leave\n\nCall early."
    shown = render_text(
        text,
        PLAIN,
        headings=["All", "Sick leave"],
        highlights=[Highlight(5, 10), Highlight(12, 16)],
    )
    assert shown.path == ("All", "Sick <mark>leave</mark>")
    assert marked_in(shown.first) == ["Call"]


@pytest.mark.parametrize(
    ("media_type", "text", "words"),
    [
        (MARKDOWN, "See **the harbour**, [its gate](https://a.example/gate).", ["harbour", "gate"]),
        (MARKDOWN, "- a `tide()` b\n\n```\ncode tides\n```", ["tide", "tides"]),
        (RESTRUCTURED, "A :pep:`8` and *tides* and ``the tide_s``.", ["8", "tides", "tide_s"]),
        (RESTRUCTURED, "====  =====\nport gate\n====  =====\ntide  tides\n====  =====", ["tides"]),
        (RESTRUCTURED, "Word::\n\n    the code\n\nGate_ more", ["code", "Gate"]),
        (MEDIA_TYPES["csv"], "name | age\ntide | 4\ngate | 5", ["tide", "5"]),
    ],
)  # fmt: skip
def test_rendered_text_has_highlights(media_type: str, text: str, words: list[str]) -> None:
    shown = show(text, media_type, *words)
    assert marked_in(shown) == sorted(words, key=text.index)
    assert not re.search(f"[{MARKERS}]", shown)


def test_repeated_part_of_the_previous_chunk_is_shown_as_such() -> None:
    text = "The end of it.\n\n- A new item"
    shown = render_text(text, MARKDOWN, repeated_chars=16).first
    assert shown == (
        '<p><span class="repeated">The end of it.</span></p>\n<ul>\n<li>A new item\n</li>\n</ul>'
        .replace("\n<li>", "<li>").replace("\n</ul>", "</ul>")
    )  # fmt: skip


def test_long_text_is_divided_between_blocks_and_shows_its_first_highlight() -> None:
    text = "\n\n".join(f"Paragraph {number}. " + "word " * 40 for number in range(12))
    plain = render_text(text, MARKDOWN, is_clamped=True)
    assert plain.rest
    assert "Paragraph 0." in plain.first
    assert plain.rest_chars > 1_000
    place = text.index("Paragraph 5")
    marked = render_text(text, MARKDOWN, highlights=[Highlight(place, place + 9)], is_clamped=True)
    assert marked_in(marked.first) == ["Paragraph"]
    assert not render_text("Short.", MARKDOWN, is_clamped=True).rest


MARKUP = st.sampled_from(
    [
        *("`", "``", "*", "**", "_", "::", ":pep:", "<", ">", "|", "====", "----", "+--+", "\n"),
        *("\n\n", "  ", "- ", "1. ", ".. ", "[1]_", "\\", "![", "](", "](javascript:x)", "&", '"'),
        *("<script>", "'", "```", "http://a", "a", "word", "\ufdd0", "\ufdd2", "\t", "# ", "> "),
        *("<b onclick=x>", "<!--", "-->", "-", "é"),
    ]
)


@given(st.lists(MARKUP, max_size=40).map("".join), st.sampled_from(TYPES), st.data())
@settings(max_examples=400, deadline=None)
def test_html_in_a_text_is_escaped(text: str, media_type: str | None, data: st.DataObject) -> None:
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6, unique=True)))
    highlights = [Highlight(*pair) for pair in zip(ends[::2], ends[1::2], strict=False)]
    shown = render_text(
        text,
        media_type,
        headings=["word"],
        highlights=highlights,
        repeated_chars=2,
        is_clamped=True,
    )
    for part in (shown.first, shown.rest):
        check_safe(part)
        assert not re.search(f"[{MARKERS}]", part)


@given(st.lists(st.sampled_from(["one", "two", " ", "\n", "\n\n", ", "]), max_size=30).map("".join))
@settings(max_examples=200, deadline=None)
def test_words_of_a_text_without_markup_are_kept(text: str) -> None:
    for media_type in TYPES:
        assert "".join(words_of(show(text, media_type)).split()) == "".join(text.split())


def test_naughty_strings_are_text(naughty_strings: list[str]) -> None:
    for naughty in naughty_strings:
        for media_type in TYPES:
            check_safe(show(naughty, media_type))
