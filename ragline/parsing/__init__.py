"""Parses documents: finds the text, the title and the structure in the bytes of a document.

`file_types` detects the format, and `readers` contains a reader for each format. Parsing runs in
child processes (`parser_pool`), because a malformed file can crash a reader or exhaust the memory.
This package does not import `ragline.sources`.
"""
