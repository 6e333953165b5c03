"""Observes the service by its log, its metrics and its traces."""
