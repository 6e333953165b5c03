"""The endpoints, with one module for each resource.

A route validates a request and calls an operation of `retrieval_api.operations`.
"""
