"""Kinds of source: where documents come from, how they are listed and read.

Each kind is a package with `settings` (what the configuration states) and `source` (a class with
the methods of `protocol.Source`); `registry` lists the kinds. The modules here are shared by the
kinds. `ragline.lifecycle` decides what happens to a listed document.
"""
