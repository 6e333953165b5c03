"""The kind `connector`: any source connector of the package unstructured-ingest."""
