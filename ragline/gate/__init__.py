"""Judges a generation against the live generation of its collection, before a promotion.

- `generation_choice` chooses the two generations and reads their properties.
- `paired_evaluation` searches both with each query of a golden set.
- `slices` groups the queries, for example by the source of their relevant documents.
- `comparison` computes the differences, and decides which of them chance does not explain.
- `index_checks` measures the index itself: sync proof, index recall and latency.
- `checks` makes a result with a reason from each measurement, and the verdict.
- `judgement` calls these modules in order and returns the report.
- `report` defines the report; `markdown` and `junit` write it.
- `stored_reports` stores the report in the database, and reads it again.
- `publication` runs the gate in a sync, before the sync promotes a candidate.
"""
