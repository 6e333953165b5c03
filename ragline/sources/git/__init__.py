"""The kind `git`: the files on one branch of a repository.

`source` lists and reads, `settings` is what the configuration states, `mirror` is the local
copy of the branch, `program` runs git.
"""
