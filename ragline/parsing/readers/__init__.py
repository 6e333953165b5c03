"""One module per family of formats, each with functions `(content, file_type) -> ParsedDocument`.

They run in a parser's process (`ragline.parsing.parser_process`) and import what is heavy.
Which format is read by which one stands in `registry`.
"""
