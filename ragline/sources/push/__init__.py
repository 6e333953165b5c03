"""The kind `push`: documents that callers send through the API.

`source` lists and reads, `settings` is what the configuration states, `operations` writes what
callers send.
"""
