"""The retrieval service: search, reranking, feedback and pushed documents over HTTP.

Everything else is `ragline`.
"""
