"""Searches the live generation of a collection, explains the result, and records searches.

`searcher` is the entry point. The index is built by `ragline.lifecycle`; the HTTP API is
`retrieval_api`.
"""
