"""Parsing: the bytes of a document become its text, title and structure.

`file_types` recognises the format, `readers` has one reader for each format. Parsing runs in child
processes (`parser_pool`), because a malformed file can crash a reader or exhaust the memory. This
package does not import `ragline.sources`.
"""
