"""The kind `files`: a folder of files at any fsspec URL.

`source` lists and reads, `settings` is what the configuration states, `storage` opens remote
storage. `paths` and `ignored_files` decide which files are documents; the kinds `git` and
`connector` use them too.
"""
