"""Evaluates collections on golden sets. `ragline.golden_set` reads a golden set.

`evaluation` measures the retrieval quality. `judged_documents` finds the judged documents that a
collection lacks. `golden_check` finds them for every configured golden set. `golden_status`
describes one golden set.
"""
