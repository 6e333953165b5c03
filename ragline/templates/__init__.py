"""The templates of `ragline init --template`: configurations with comments, and sample documents.

`catalog` lists and writes the templates. Each folder here is the content of one template.
"""
