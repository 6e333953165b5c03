"""The kind `connector`: any source connector of the package unstructured-ingest.

`source` lists and reads, `settings` is what the configuration states, `connection` runs the parts
of a connector, `file_data` converts its description of a file.
"""
