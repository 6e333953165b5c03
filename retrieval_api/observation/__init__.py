"""How the service is watched: its log, metrics and traces."""
