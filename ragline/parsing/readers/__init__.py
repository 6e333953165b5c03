"""The readers. A reader is a function `(content, file_type) -> ParsedDocument`.

There is one module for each family of formats. The readers run in a parser process
(`ragline.parsing.parser_process`), so they can import large libraries.
`ragline.parsing.formats` names the reader of each format; `dispatch` calls it.
"""
