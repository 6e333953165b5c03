"""Records of requests, written in batches after the responses."""
