"""Cut a parsed document into chunks: slices of its text that the embedding model reads whole.

`chunks` is the way in. `pieces` finds what is never cut (an element, or a sentence, row or
block of one that is too long), `packing` joins pieces into chunks by the cheapest set of cuts,
`headers` writes the line of headings that the model reads first. Pure: no database, no model.
"""

from ragline.chunking.chunks import Chunk, ChunkBudget, chunk_document, chunker_fingerprint

__all__ = ["Chunk", "ChunkBudget", "chunk_document", "chunker_fingerprint"]
