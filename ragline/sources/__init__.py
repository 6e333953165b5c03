"""The kinds of source. A source lists documents and reads them.

Each kind is a package. Its module `settings` describes its part of the configuration, and its
module `source` contains a class with the methods of `protocol.Source`. `registry` lists the kinds.
The other modules here are used by several kinds. `ragline.lifecycle` decides what happens to a
listed document.
"""
