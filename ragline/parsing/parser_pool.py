"""TEMPORARY placeholder by the lead so that imports work; the PARSING owner overwrites this file."""
from __future__ import annotations
class ParserPool:
    def __enter__(self): return self
    def __exit__(self, *a): pass
    def parse_documents(self, documents):
        from ragline.parsing.parsed_document import ParsedDocument, Element
        for d in documents:
            t = d.content.decode("utf-8", "replace").replace("\0", "")
            yield d, ParsedDocument(t, (Element("text", 0, len(t)),), "txt")
def parser_fingerprint() -> str:
    return "tmp"
