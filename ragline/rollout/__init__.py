"""What real searches say about a candidate, and about a new live generation.

`shadow_reads` compares answers of the candidate with those of the live generation. The service
sends the searches (`retrieval_api.rollout`), and the gate judges the comparisons. `promotion_watch`
compares the searches of a new live generation with those before its promotion, and `canary_report`
those of the canary with the others. `online_figures` reads them, and `share_comparison` has the
statistics.
"""
