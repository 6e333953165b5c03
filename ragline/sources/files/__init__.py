"""The kind `files`: a folder of files at any fsspec URL.

`source` lists and reads the files, `settings` describes the configuration of the kind, and
`storage` accesses remote files. `paths` and `ignored_files` decide which files are documents. The
kind `git` uses both of them, and the kind `connector` uses `ignored_files`.
"""
