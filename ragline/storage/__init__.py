"""Ragline's own PostgreSQL database: connections, schema, migrations and SQL statements.

The statements are files in `sql/queries`. `ragline.sources.sql` reads a database that is a source
of documents.
"""

# The largest id of a row. The columns of ids are `bigint`.
MAX_ROW_ID = 2**63 - 1
