"""The kind `push`: documents that callers send through the API.

`source` lists and reads the documents, and `settings` describes the configuration of the kind.
`operations` stores what callers send.
"""
