"""Search: it reads the live generation of a collection, explains its hits, and records searches.

The entry point is `searcher`. `ragline.lifecycle` builds the index, and `retrieval_api` is the HTTP
API.
"""
