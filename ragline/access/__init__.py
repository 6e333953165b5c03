"""API keys with their permissions, and tenants."""
