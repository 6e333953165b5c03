"""Who may ask what: keys, and the tenants that they belong to."""
