"""Access control: keys and tenants, and limits on body size, request rate and load."""
