"""Extracts the main text of a page, its title, its links and its directives.

trafilatura separates the main text from navigation, banners and footers. The result is a small page
of HTML for Ragline's own reader. Markdown is not used, because its backslashes before `_` and `*`
would be searched and embedded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import trafilatura
from lxml import etree, html
from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding

from ragline.errors import BrokenDocumentError
from ragline.parsing.document_text import collapse_whitespace
from ragline.parsing.text_encoding import decode_text
from ragline.sources.web.refresh_redirects import Refresh, find_page_refresh
from ragline.sources.web.urls import normalise_url, read_origin
from ragline.storable_text import clean_text

# The errors that the extractor and its parser raise for malformed pages.
_EXTRACTION_ERRORS = (
    etree.LxmlError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
    RecursionError,
)
_MAIN_ELEMENTS = etree.XPath("//main[not(ancestor::main)] | //*[@role='main'][not(self::main)]")
# These formatting elements are replaced by their contents, because the extractor would lose short
# texts in them.
_FORMATTING = (
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
# These elements are removed. Otherwise the extractor would use them too if the page is short.
_NEVER_MAIN = [
    "//nav",
    "//footer[not(ancestor::main or ancestor::article or ancestor::blockquote)]",
]
_INLINE = frozenset({"a", "br", "del", "ins", "sub", "sup"})
_SPACE = re.compile(r"\s+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class ExtractedPage:
    """The result of an extraction. If the page has no main text, `content` is empty.

    `links` contains the URLs of pages of the same host, each once, in the order of the page.
    `directives` are those of the robots element, in lower case. If the page only redirects,
    `refresh` describes the redirect, and the other fields are empty.
    """

    content: bytes
    title: str
    language: str | None
    links: tuple[str, ...]
    canonical: str | None
    directives: frozenset[str]
    refresh: Refresh | None = None


def extract_page(body: bytes, content_type: str, url: str) -> ExtractedPage:
    """Extract a page of HTML. The HTML can be malformed.

    Raises:
        BrokenDocumentError: the parser or the extractor failed.
    """
    try:
        page = _parse(_decode(body, content_type))
        if page is None:
            return ExtractedPage(b"", "", None, (), None, frozenset())
        refresh = find_page_refresh(page, url, _find_base(page, url))
        if refresh is not None:
            return ExtractedPage(b"", "", None, (), None, frozenset(), refresh)
        details = (
            _find_language(page),
            _find_links(page, url),
            _find_canonical(page, url),
            _find_directives(page),
        )
        title = collapse_whitespace(clean_text(trafilatura.extract_metadata(page).title or ""))
        return ExtractedPage(_main_content(page, title, url), title, *details)
    except _EXTRACTION_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise BrokenDocumentError(f"the page cannot be read: {reason}") from error


def _decode(body: bytes, content_type: str) -> str:
    declared = http_content_type_encoding(content_type) or html_body_declared_encoding(body)
    return decode_text(body, declared=declared)


def _parse(text: str) -> html.HtmlElement | None:
    # The text is passed as bytes, because lxml refuses a text that declares an encoding.
    parser = html.HTMLParser(
        encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True
    )
    try:
        return html.document_fromstring(clean_text(text).encode(), parser=parser)
    except etree.ParserError:
        return None  # the page is empty


def _main_content(page: html.HtmlElement, title: str, url: str) -> bytes:
    """The main text as a page of HTML. The result is empty if there is no main text.

    `page` is changed. The preparation of the page keeps text that the extractor would drop. It was
    measured on 33,602 paragraphs, headings, code blocks and cells in the main parts of 190 pages of
    the Rust documentation. Without the preparation, the extractor dropped 28 % of them. With it,
    the extractor dropped 2 %.
    """
    _normalise_code(page)
    _replace_figures(page)
    _drop_tags(page, _FORMATTING)
    text = trafilatura.extract(
        page,
        url=url,
        output_format="html",
        include_comments=False,
        favor_recall=_keep_main_element(page),
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


def _normalise_code(page: html.HtmlElement) -> None:
    """Write code blocks as trafilatura expects them, and inline code as plain text.

    Otherwise trafilatura would turn a `pre` without `code` into a quotation, and inline `code` into
    a block.
    """
    for block in list(page.iter("pre")):
        text, tail = block.text_content(), block.tail
        block.clear()
        etree.SubElement(block, "code").text = text
        block.tail = tail
    for element in list(page.iter(*_INLINE_CODE)):
        if element.getparent() is not None and element.getparent().tag != "pre":
            element.drop_tag()


def _replace_figures(page: html.HtmlElement) -> None:
    """Replace each `figure` element by a `div`.

    The extractor drops figures, but a figure can contain code.
    """
    for figure in page.iter("figure"):
        figure.tag = "div"
    for caption in page.iter("figcaption"):
        caption.tag = "p"


def _keep_main_element(page: html.HtmlElement) -> bool:
    """Remove everything outside the main element of the page.

    Return whether the page has one. Links in the main element are replaced by their text. Otherwise
    the extractor would take a paragraph with many links as navigation and drop it.
    """
    found = _MAIN_ELEMENTS(page) or list(page.iter("article"))
    body = page.find("body")
    if body is None or len(found) != 1 or not found[0].text_content().strip():
        return False
    _drop_tags(found[0], ("a",))
    if found[0] is not body:
        body.clear()
        body.append(found[0])
    return True


def _drop_tags(element: html.HtmlElement, tags: tuple[str, ...]) -> None:
    """Replace each element with one of these tags by its contents."""
    for inner in list(element.iter(*tags)):
        if inner is not element and inner.getparent() is not None:
            inner.drop_tag()


def _strip_layout(main: html.HtmlElement) -> None:
    """Remove attributes and white space, so that the same text always gives the same bytes."""
    for element in main.iter():
        for name in set(element.attrib) - {"colspan", "rowspan"}:
            del element.attrib[name]
        if next(element.iterancestors("pre"), None) is None:
            if element.tag != "pre":
                element.text = _SPACE.sub(" ", element.text or "").lstrip()
            tail = _SPACE.sub(" ", element.tail or "")
            element.tail = tail if element.tag in _INLINE else tail.strip() + "\n"


def _find_language(page: html.HtmlElement) -> str | None:
    language = next((element.get("lang") or "" for element in page.iter("html")), "").strip()
    return language if _LANGUAGE.fullmatch(language) else None


def _find_links(page: html.HtmlElement, url: str) -> tuple[str, ...]:
    targets = (
        anchor.get("href")
        for anchor in page.iter("a", "area")
        if anchor.get("href") and "nofollow" not in anchor.get("rel", "").lower().split()
    )
    return _select_on_host(targets, _find_base(page, url), url)


def _find_base(page: html.HtmlElement, url: str) -> str:
    """The base URL of the relative links on a page."""
    href = next((element.get("href") for element in page.iter("base") if element.get("href")), "")
    return normalise_url(href, url) or url


def _find_canonical(page: html.HtmlElement, url: str) -> str | None:
    """The canonical URL of the page on the same host, or None if it is the page itself."""
    targets = (
        element.get("href")
        for element in page.iter("link")
        if element.get("href") and "canonical" in element.get("rel", "").lower().split()
    )
    found = [
        target for target in _select_on_host(targets, _find_base(page, url), url) if target != url
    ]
    return found[0] if found else None


def _select_on_host(targets: Iterable[str], base: str, url: str) -> tuple[str, ...]:
    origin = read_origin(url)
    normalised = (normalise_url(target, base) for target in targets)
    return tuple(dict.fromkeys(link for link in normalised if link and read_origin(link) == origin))


def _find_directives(page: html.HtmlElement) -> frozenset[str]:
    values = (
        element.get("content", "")
        for element in page.iter("meta")
        if element.get("name", "").lower() == "robots"
    )
    return frozenset(word.strip().lower() for value in values for word in value.split(","))
