"""The messages of the API: the bodies of requests and responses, with limits and examples.

FastAPI makes the OpenAPI document from these models. Problems are in `retrieval_api.problems`.
"""
