"""The main text of a page, its title, and what the page says about itself.

trafilatura decides what is main text and what is navigation, banner or footer. The result is a
small page of HTML for Ragline's own reader: as Markdown the text would come with backslashes
before every `_` and `*`, and they would be searched and embedded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import trafilatura
from lxml import etree, html
from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding

from ragline.errors import BrokenDocumentError
from ragline.parsing.document_text import one_line
from ragline.parsing.text_encoding import decode_text
from ragline.sources.web.refresh_redirects import Refresh, find_page_refresh
from ragline.sources.web.urls import normalise_url, origin_of
from ragline.storable_text import clean_text

# What the extractor and the parser below it raise on pages that break them.
_FAULTS = (
    etree.LxmlError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
    RecursionError,
)
_STATED_MAIN = etree.XPath("//main[not(ancestor::main)] | //*[@role='main'][not(self::main)]")
# Formatting says nothing that is kept, and makes the extractor mistake short texts.
_PHRASES = (
    "abbr",
    "b",
    "bdi",
    "bdo",
    "cite",
    "em",
    "font",
    "i",
    "mark",
    "s",
    "small",
    "span",
    "strong",
    "u",
)
_INLINE_CODE = ("code", "kbd", "samp", "tt", "var")
# For a short page the extractor falls back to all of its text.
_NEVER_MAIN = [
    "//nav",
    "//footer[not(ancestor::main or ancestor::article or ancestor::blockquote)]",
]
_INLINE = frozenset({"a", "br", "del", "ins", "sub", "sup"})
_SPACE = re.compile(r"\s+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class ExtractedPage:
    """A page as it is listed and read. `content` is empty where there is no main text.

    `links` lead to pages of the same host, each once, in the page's order; `directives` are
    those of its robots element, in lower case. Of a page that only points to another one,
    `refresh` says to which, and the rest is empty.
    """

    content: bytes
    title: str
    language: str | None
    links: tuple[str, ...]
    canonical: str | None
    directives: frozenset[str]
    refresh: Refresh | None = None


def extract_page(body: bytes, content_type: str, url: str) -> ExtractedPage:
    """Read a page of HTML, however broken.

    Raises:
        BrokenDocumentError: neither the parser nor the extractor could make sense of it.
    """
    try:
        page = _parse(_decode(body, content_type))
        if page is None:
            return ExtractedPage(b"", "", None, (), None, frozenset())
        refresh = find_page_refresh(page, url, _base(page, url))
        if refresh is not None:
            return ExtractedPage(b"", "", None, (), None, frozenset(), refresh)
        facts = (_language(page), _links(page, url), _canonical(page, url), _directives(page))
        title = one_line(clean_text(trafilatura.extract_metadata(page).title or ""))
        return ExtractedPage(_main_content(page, title, url), title, *facts)
    except _FAULTS as error:
        reason = str(error) or type(error).__name__
        raise BrokenDocumentError(f"the page cannot be read: {reason}") from error


def _decode(body: bytes, content_type: str) -> str:
    declared = http_content_type_encoding(content_type) or html_body_declared_encoding(body)
    return decode_text(body, declared=declared)


def _parse(text: str) -> html.HtmlElement | None:
    # As bytes: lxml refuses text that states an encoding of its own.
    parser = html.HTMLParser(
        encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True
    )
    try:
        return html.document_fromstring(clean_text(text).encode(), parser=parser)
    except etree.ParserError:
        return None  # there is nothing in it


def _main_content(page: html.HtmlElement, title: str, url: str) -> bytes:
    """The main text as a page of its own; changes `page`.

    Of 33,602 paragraphs, headings, listings and cells in the main parts of 190 pages of the Rust
    documentation, the extractor by itself dropped 28 %; after what is done here before, 2 %.
    """
    _mend_code(page)
    _open_figures(page)
    _drop_tags(page, _PHRASES)
    text = trafilatura.extract(
        page,
        url=url,
        output_format="html",
        include_comments=False,
        favor_recall=_focus(page),
        prune_xpath=_NEVER_MAIN,
    )
    if not text:
        return b""
    main = html.document_fromstring(text)
    if not main.text_content().strip():
        return b""
    _strip_layout(main)
    head = html.Element("head")
    etree.SubElement(head, "meta", charset="utf-8")
    etree.SubElement(head, "title").text = title
    main.insert(0, head)
    return bytes(html.tostring(main, encoding="utf-8", doctype="<!DOCTYPE html>"))


def _mend_code(page: html.HtmlElement) -> None:
    """Make a block of code what trafilatura takes for one, and code in a line plain text.

    It would make a quotation of a `pre` without `code`, and a block of `code` in a sentence.
    """
    for block in list(page.iter("pre")):
        text, tail = block.text_content(), block.tail
        block.clear()
        etree.SubElement(block, "code").text = text
        block.tail = tail
    for element in list(page.iter(*_INLINE_CODE)):
        if element.getparent() is not None and element.getparent().tag != "pre":
            element.drop_tag()


def _open_figures(page: html.HtmlElement) -> None:
    """Make a figure, which the extractor drops, part of the text: it may be a listing."""
    for figure in page.iter("figure"):
        figure.tag = "div"
    for caption in page.iter("figcaption"):
        caption.tag = "p"


def _focus(page: html.HtmlElement) -> bool:
    """Leave only the part that the page itself states as its main one; whether it states one.

    Within it a link is text like any other: the extractor takes many links for navigation, and
    would drop the paragraphs of a text that is full of references.
    """
    stated = _STATED_MAIN(page) or list(page.iter("article"))
    body = page.find("body")
    if body is None or len(stated) != 1 or not stated[0].text_content().strip():
        return False
    _drop_tags(stated[0], ("a",))
    if stated[0] is not body:
        body.clear()
        body.append(stated[0])
    return True


def _drop_tags(element: html.HtmlElement, tags: tuple[str, ...]) -> None:
    """Leave the text of these elements and not the elements."""
    for found in list(element.iter(*tags)):
        if found is not element and found.getparent() is not None:
            found.drop_tag()


def _strip_layout(main: html.HtmlElement) -> None:
    """Make the same text the same bytes, however the page was laid out."""
    for element in main.iter():
        for name in set(element.attrib) - {"colspan", "rowspan"}:
            del element.attrib[name]
        if next(element.iterancestors("pre"), None) is None:
            if element.tag != "pre":
                element.text = _SPACE.sub(" ", element.text or "").lstrip()
            tail = _SPACE.sub(" ", element.tail or "")
            element.tail = tail if element.tag in _INLINE else tail.strip() + "\n"


def _language(page: html.HtmlElement) -> str | None:
    stated = next((element.get("lang") or "" for element in page.iter("html")), "").strip()
    return stated if _LANGUAGE.fullmatch(stated) else None


def _links(page: html.HtmlElement, url: str) -> tuple[str, ...]:
    targets = (
        anchor.get("href")
        for anchor in page.iter("a", "area")
        if anchor.get("href") and "nofollow" not in anchor.get("rel", "").lower().split()
    )
    return _on_host(targets, _base(page, url), url)


def _base(page: html.HtmlElement, url: str) -> str:
    """What relative links are relative to."""
    stated = next((element.get("href") for element in page.iter("base") if element.get("href")), "")
    return normalise_url(stated, url) or url


def _canonical(page: html.HtmlElement, url: str) -> str | None:
    """The page of the same host that this one calls its original; None when that is itself."""
    stated = (
        element.get("href")
        for element in page.iter("link")
        if element.get("href") and "canonical" in element.get("rel", "").lower().split()
    )
    found = [target for target in _on_host(stated, _base(page, url), url) if target != url]
    return found[0] if found else None


def _on_host(targets: Iterable[str], base: str, url: str) -> tuple[str, ...]:
    origin = origin_of(url)
    normalised = (normalise_url(target, base) for target in targets)
    return tuple(dict.fromkeys(link for link in normalised if link and origin_of(link) == origin))


def _directives(page: html.HtmlElement) -> frozenset[str]:
    stated = (
        element.get("content", "")
        for element in page.iter("meta")
        if element.get("name", "").lower() == "robots"
    )
    return frozenset(word.strip().lower() for value in stated for word in value.split(","))
