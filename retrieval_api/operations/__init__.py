"""The operations that routes, page and agents share. An operation takes a caller and checks it.

Reading a request and writing a response are the work of `routes`, `page` and `agents`.
"""
