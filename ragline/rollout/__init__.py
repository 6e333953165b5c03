"""What real searches say about a candidate, and about a new live generation.

`shadow_reads` compares answers of the candidate with those of the live generation. The service
sends the searches (`retrieval_api.rollout`), and the gate judges the comparisons.
"""
