"""Sends searches to candidates: shadow reads, which no caller sees, and the canary."""
