"""Renders Markdown as safe HTML, for documents of any origin.

markdown-it finds the structure, and this module writes the elements. HTML in the document is
removed. Images are named and not loaded. Links are limited to http, https and mailto.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from retrieval_api.page.highlight_markers import TextWriter, remove_markers
from retrieval_api.page.links import write_link
from retrieval_api.page.rendered_blocks import Block, write_code, write_picture

MAX_DEPTH = 20
_PLAIN_TAGS = {
    "paragraph": "p", "bullet_list": "ul", "list_item": "li", "blockquote": "blockquote",
    "table": "table", "thead": "thead", "tbody": "tbody", "tr": "tr", "th": "th", "td": "td",
    "em": "em", "strong": "strong", "s": "s",
}  # fmt: skip
# These tags in a document are removed. Other text in angle brackets, such as Vec<T>, is kept.
_TAGS = frozenset([
    "a", "abbr", "b", "blockquote", "br", "center", "code", "dd", "del", "details", "div", "dl",
    "dt", "em", "figcaption", "figure", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i",
    "img", "ins", "kbd", "li", "ol", "p", "picture", "pre", "q", "s", "small", "source", "span",
    "strong", "sub", "summary", "sup", "table", "tbody", "td", "th", "thead", "tr", "u", "ul",
])  # fmt: skip
_TAG = re.compile(r"<!--.*?(?:-->|$)|</?([A-Za-z][A-Za-z0-9]*)(?:\s[^<>]*)?/?>", re.DOTALL)
_BREAKS = frozenset(["br", "hr"])


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_DEPTH})
    return parser.enable(["table", "strikethrough"])


def render_markdown(text: str, writer: TextWriter) -> list[Block]:
    """Return the blocks of a marked Markdown text, in order."""
    tokens = _parser().parse(text)
    blocks, first, depth = [], 0, 0
    for index, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            part = tokens[first : index + 1]
            html = _write_tokens(part, writer)
            if html:
                blocks.append(Block(html, sum(len(one.content) for one in part)))
            first = index + 1
    return blocks


def _write_tokens(tokens: Sequence[Token], writer: TextWriter) -> Markup:
    written = Markup()
    for token in tokens:
        written += _write_token(token, writer)
    return written


def _write_token(token: Token, writer: TextWriter) -> Markup:
    kind, _, ending = token.type.rpartition("_")
    if ending in ("open", "close") and kind in _PLAIN_TAGS:
        if kind == "paragraph" and token.hidden:
            return Markup("\n") if ending == "close" else Markup()
        form = Markup("</{}>") if ending == "close" else Markup("<{}>")
        return form.format(_PLAIN_TAGS[kind])
    write = _WRITERS.get(token.type)
    return Markup() if write is None else write(token, writer)


def _write_inline(token: Token, writer: TextWriter) -> Markup:
    return _write_tokens(token.children or (), writer)


def _write_text(token: Token, writer: TextWriter) -> Markup:
    return writer.write(token.content)


def _write_inline_code(token: Token, writer: TextWriter) -> Markup:
    return Markup("<code>{}</code>").format(writer.write(token.content))


def _write_block_code(token: Token, writer: TextWriter) -> Markup:
    return write_code(token.content, writer)


def _open_list(token: Token, _writer: TextWriter) -> Markup:
    return Markup('<ol start="{}">').format(int(token.attrs.get("start", 1)))


def _open_link(token: Token, _writer: TextWriter) -> Markup:
    return write_link(remove_markers(str(token.attrs.get("href", ""))))


def _write_image(token: Token, writer: TextWriter) -> Markup:
    return write_picture(_write_inline(token, writer))


def _write_html(token: Token, writer: TextWriter) -> Markup:
    """Write the HTML in a document. Known tags are removed, and the rest is written as text."""
    written, position = Markup(), 0
    for found in _TAG.finditer(token.content):
        name = (found.group(1) or "").lower()
        if name and remove_markers(name) not in _TAGS:
            continue
        written += writer.write(token.content[position : found.start()])
        writer.skip(found.group())
        written += Markup("<br>") if name in _BREAKS else Markup()
        position = found.end()
    return written + writer.write(token.content[position:])


def _write_html_block(token: Token, writer: TextWriter) -> Markup:
    inner = _write_html(token, writer)
    return Markup('<p class="lines">{}</p>').format(inner) if inner.strip() else Markup()


def _constant(html: Markup) -> Callable[[Token, TextWriter], Markup]:
    return lambda _token, _writer: html


_WRITERS: dict[str, Callable[[Token, TextWriter], Markup]] = {
    "inline": _write_inline,
    "text": _write_text,
    "text_special": _write_text,
    "code_inline": _write_inline_code,
    "code_block": _write_block_code,
    "fence": _write_block_code,
    "heading_open": _constant(Markup('<p class="heading">')),
    "heading_close": _constant(Markup("</p>")),
    "ordered_list_open": _open_list,
    "ordered_list_close": _constant(Markup("</ol>")),
    "link_open": _open_link,
    "link_close": _constant(Markup("</a>")),
    "image": _write_image,
    "html_inline": _write_html,
    "html_block": _write_html_block,
    "hr": _constant(Markup("<hr>")),
    "softbreak": _constant(Markup("\n")),
    "hardbreak": _constant(Markup("<br>\n")),
}
