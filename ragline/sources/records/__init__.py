"""The kind `records`: one file whose rows are documents.

`source` lists and reads the rows, and `settings` describes the configuration of the kind. `rows`
reads the rows of a file, and `format_check` recognises a file of another format. `fields` describes
the meaning of the columns; the kind `sql` uses it too.
"""
