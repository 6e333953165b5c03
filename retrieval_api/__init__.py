"""The retrieval service: search, reranking, feedback and pushed documents over HTTP.

It calls the library `ragline`, which contains everything that does not depend on HTTP.
"""
