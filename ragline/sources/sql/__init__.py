"""The kind `sql`: the rows of a query as documents.

`source` lists and reads the rows, `settings` describes the configuration of the kind, and
`connection` connects to the database. With `rows` and `undecoded_values`, a value that cannot be
read affects no other row.
"""
