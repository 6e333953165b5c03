"""The service as tools for agents."""
