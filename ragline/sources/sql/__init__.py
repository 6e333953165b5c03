"""The kind `sql`: the rows of a query as documents.

`source` lists and reads, `settings` is what the configuration states, `connection` reaches the
database. `rows` and `undecoded_values` confine an unreadable value to its own row.
"""
