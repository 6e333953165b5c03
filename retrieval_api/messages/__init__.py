"""What the service is asked and what it answers, with bounds and examples.

These models are the OpenAPI document; what goes wrong is in `retrieval_api.problems`.
"""
