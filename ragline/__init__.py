"""The library of Ragline, without Dagster and without the HTTP service.

It contains the sources, parsing, chunking, embedding, the lifecycle of documents, and search. It
imports neither the Dagster project (`assets`, `dagster_project`) nor the service (`retrieval_api`).
"""
