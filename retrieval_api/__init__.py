"""The retrieval service: search, reranking and feedback over HTTP. Everything else is `ragline`."""
