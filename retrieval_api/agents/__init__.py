"""Offers the service to agents as tools."""
