"""The endpoints, one module per resource. A route validates a request and calls an operation."""
