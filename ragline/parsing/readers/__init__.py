"""One module per family of formats, each with functions `(content, file_type) -> ParsedDocument`.

They run in a parser process (`ragline.parsing.parser_process`) and import their libraries.
`ragline.parsing.formats` names the reader of each format; `dispatch` calls it.
"""
