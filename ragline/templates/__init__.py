"""Starters for `ragline init --template`: a configuration with comments, and sample documents.

`catalog` lists and writes them. Each other folder here is the content of one template.
"""
