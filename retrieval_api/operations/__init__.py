"""The operations that routes, page and agents share.

An operation receives a caller and checks what the caller may do. `routes`, `page` and `agents` read
the requests and write the responses.
"""
