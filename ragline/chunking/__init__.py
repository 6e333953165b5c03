"""Splits a parsed document into chunks. The embedding model reads each chunk completely.

`chunks` is the entry point. `pieces` finds the spans that are never split: elements, and the
sentences, rows and blocks of long elements. `packing` joins pieces into chunks at the lowest cost.
`headers` writes the line of headings that the model reads before the text. The package uses neither
database nor model.
"""

from ragline.chunking.chunks import Chunk, ChunkBudget, chunk_document, chunker_fingerprint

__all__ = ["Chunk", "ChunkBudget", "chunk_document", "chunker_fingerprint"]
