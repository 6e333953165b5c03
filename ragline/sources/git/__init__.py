"""The kind `git`: the files on one branch of a repository.

`source` lists and reads the files, and `settings` describes the configuration of the kind. `mirror`
keeps a local copy of the branch, and `program` runs git.
"""
