"""The kind `connector`: any source connector of the package unstructured-ingest.

`source` lists and reads the files, and `settings` describes the configuration of the kind.
`connection` runs the parts of a connector. `file_data` converts the connector's description of a
file.
"""
