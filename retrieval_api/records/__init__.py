"""Writes records of requests, in batches and after the responses."""
