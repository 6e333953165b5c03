"""FastAPI dependencies that several route modules declare. The caller is in `access.callers`."""
