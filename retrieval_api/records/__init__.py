"""What is kept of requests, written in batches beside the answers."""
