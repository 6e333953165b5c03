"""What real searches say about a candidate, and about a new live generation.

`shadow_reads` compares answers of the candidate with those of the live generation. The service
sends the searches (`retrieval_api.rollout`), and the gate judges the comparisons. `promotion_watch`
compares the searches of a new live generation with the searches before its promotion.
`canary_report` compares the searches of the canary with all others. `online_figures` computes the
figures of both comparisons, and `share_comparison` contains the statistics.
"""
