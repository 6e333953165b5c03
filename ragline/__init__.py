"""The library: sources, parsing, chunking, embedding, the lifecycle of documents, and search.

It imports neither Dagster (`assets`, `dagster_project`) nor the HTTP service (`retrieval_api`).
"""
