"""SQL as files: migrations, queries, and the template of a generation's table. No code."""
