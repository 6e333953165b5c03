"""The messages of the API: the bodies of requests and responses, with limits and examples.

The OpenAPI document is made from these models. Problems are in `retrieval_api.problems`.
"""
