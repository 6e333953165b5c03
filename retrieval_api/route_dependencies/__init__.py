"""FastAPI dependencies that several route modules use. `access.callers` has those for callers."""
