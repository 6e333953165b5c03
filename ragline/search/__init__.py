"""Searching a collection's live generation, explaining the result, and recording searches.

`searcher` is the entry point. The index is built by `ragline.lifecycle`; the HTTP API is
`retrieval_api`.
"""
