"""Evaluates collections on golden sets. `ragline.golden_set` reads a golden set.

`evaluation` measures the retrieval quality. `evidence` says what its figures depend on, and
`stored_evaluations` stores both. `reproduction` runs a stored evaluation again.
`judged_documents` finds the judged documents that a collection lacks. `golden_check` finds them for
every configured golden set. `golden_status` describes one golden set.
"""
