"""Observation of the service: its log, metrics and traces."""
