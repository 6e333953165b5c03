"""The kind `records`: one file whose rows are documents.

`source` lists and reads, `settings` is what the configuration states, `rows` reads the rows of
a file, `format_check` recognises a file of another format. `fields` says what the columns mean;
the kind `sql` uses it too.
"""
