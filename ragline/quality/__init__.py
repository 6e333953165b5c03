"""Statistics of searches. They are computed from the records of searches.

No judgements and no language model are needed. `figures` has the statistics that are inexpensive
and computed for each request. `daily` adds the expensive ones, which are computed once a day:
drift, topics and index recall.
"""
