"""Ragline's own PostgreSQL database: connections, schema, migrations and SQL statements.

The statements themselves are files in `sql/queries`. A database that is a source of documents is
read by `ragline.sources.sql`.
"""
