"""FastAPI dependencies that several route modules use.

The dependencies that find the caller are in `access.callers`.
"""
