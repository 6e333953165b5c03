"""Reads a sitemap or an index of sitemaps: XML or plain lines, with or without gzip.

Source: the protocol at sitemaps.org. An incomplete sitemap is an error, because the missing pages
would look removed. `crawl` decides which of the pages are requested.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass, field
from datetime import datetime

from lxml import etree

from ragline.sources.timestamps import read_timestamp
from ragline.sources.web.urls import normalise_url

# The maximum size of a sitemap after decompression. The protocol allows 50 MiB.
MAX_SITEMAP_BYTES = 64 * 1024**2
MAX_FAULT_CHARS = 300
_GZIP = b"\x1f\x8b"


@dataclass
class Sitemap:
    """The content of a sitemap in its order: pages with times of change, and further sitemaps.

    `faults` contains the addresses in the sitemap that are not URLs of web pages.
    """

    pages: dict[str, datetime | None] = field(default_factory=dict)
    sitemaps: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, kind: str, location: str, changed: str, base: str | None) -> None:
        url = normalise_url(location, base)
        if url is None and kind == "url":
            self.faults.append(location[:MAX_FAULT_CHARS])
        elif url is None:
            raise ValueError(f"it names {location!r}, which is not a web page")
        elif kind == "url":
            self.pages[url] = read_timestamp(changed)
        else:
            self.sitemaps.append(url)


def read_sitemap(content: bytes, url: str) -> Sitemap:
    """Read the content of the sitemap at `url`.

    Raises:
        ValueError: the content is damaged, incomplete or too large, or it is not a sitemap.
    """
    sitemap = _read(_unpack(content), url)
    if sitemap.faults and not sitemap.pages:
        raise ValueError(f"it names {sitemap.faults[0]!r}, which is not a web page")
    return sitemap


def _read(content: bytes, url: str) -> Sitemap:
    if not content.strip():
        raise ValueError("it is empty")
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        return _read_xml(content, url)
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
        raise ValueError(f"its gzip is incomplete, or contains more than {MAX_SITEMAP_BYTES} bytes")
    return unpacked


def _read_xml(content: bytes, url: str) -> Sitemap:
    sitemap = Sitemap()
    try:
        # Entities are not resolved, because sitemaps use no nested or external entities.
        for _, element in etree.iterparse(
            io.BytesIO(content), resolve_entities=False, no_network=True, load_dtd=False
        ):
            kind = etree.QName(element).localname if isinstance(element.tag, str) else ""
            if kind in {"url", "sitemap"}:
                sitemap.add(kind, _text(element, "loc"), _text(element, "lastmod"), url)
                element.clear()
            elif element.getparent() is None and kind not in {"urlset", "sitemapindex"}:
                raise ValueError(f"it is not a sitemap: its root element is <{kind}>")
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
