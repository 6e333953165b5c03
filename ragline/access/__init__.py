"""API keys and their permissions, tenants, and the audit table."""
