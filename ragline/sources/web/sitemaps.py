"""Reading a sitemap or an index of sitemaps: XML, plain lines, either also as gzip.

A sitemap that is not whole is an error: what it lacks would look removed. Source: the protocol
at sitemaps.org. Which of the pages are taken is decided in `crawl`.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass, field
from datetime import datetime

from lxml import etree

from ragline.sources.timestamps import read_timestamp
from ragline.sources.web.urls import normalise_url

# The protocol allows 50 MiB, uncompressed.
MAX_SITEMAP_BYTES = 64 * 1024**2
LONGEST_FAULT = 300
_GZIP = b"\x1f\x8b"


@dataclass
class Sitemap:
    """What a sitemap names, in its order: pages with their time of change, further sitemaps.

    `faults` are the addresses that it names as pages and that are none.
    """

    pages: dict[str, datetime | None] = field(default_factory=dict)
    sitemaps: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, kind: str, location: str, changed: str, where: str | None) -> None:
        url = normalise_url(location, where)
        if url is None and kind == "url":
            self.faults.append(location[:LONGEST_FAULT])
        elif url is None:
            raise ValueError(f"it names {location!r}, which is no web page")
        elif kind == "url":
            self.pages[url] = read_timestamp(changed)
        else:
            self.sitemaps.append(url)


def read_sitemap(content: bytes, where: str) -> Sitemap:
    """Read a sitemap that was got from the URL `where`.

    Raises:
        ValueError: it is damaged, cut, too large, or something else altogether.
    """
    sitemap = _read(_unpack(content), where)
    if sitemap.faults and not sitemap.pages:
        raise ValueError(f"it names {sitemap.faults[0]!r}, which is no web page")
    return sitemap


def _read(content: bytes, where: str) -> Sitemap:
    if not content.strip():
        raise ValueError("it is empty")
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        return _read_xml(content, where)
    sitemap = Sitemap()
    for line in content.decode("utf-8-sig").split():
        sitemap.add("url", line, "", None)
    return sitemap


def _unpack(content: bytes) -> bytes:
    if not content.startswith(_GZIP):
        return content
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(content, MAX_SITEMAP_BYTES)
    except zlib.error as error:
        raise ValueError(f"its gzip is damaged: {error}") from error
    if not unpacker.eof:
        raise ValueError(f"its gzip is cut, or holds more than {MAX_SITEMAP_BYTES} bytes")
    return unpacked


def _read_xml(content: bytes, where: str) -> Sitemap:
    sitemap = Sitemap()
    try:
        # One entity inside another, or one that names a file, is no part of any sitemap.
        for _, element in etree.iterparse(
            io.BytesIO(content), resolve_entities=False, no_network=True, load_dtd=False
        ):
            kind = etree.QName(element).localname if isinstance(element.tag, str) else ""
            if kind in {"url", "sitemap"}:
                sitemap.add(kind, _text(element, "loc"), _text(element, "lastmod"), where)
                element.clear()
            elif element.getparent() is None and kind not in {"urlset", "sitemapindex"}:
                raise ValueError(f"it is no sitemap: its outermost element is <{kind}>")
    except etree.XMLSyntaxError as error:
        raise ValueError(f"its XML is damaged: {error}") from error
    return sitemap


def _text(element: etree._Element, name: str) -> str:
    found = (
        child.text
        for child in element
        if isinstance(child.tag, str) and etree.QName(child).localname == name
    )
    return (next(found, None) or "").strip()
