"""The evaluation of collections on golden sets, which `ragline.golden_set` reads.

`evaluation` measures the retrieval quality, `judged_documents` finds judged documents that a
collection lacks, and `golden_check` does so for each configured golden set.
"""
