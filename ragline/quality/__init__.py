"""Statistics of searches, computed from the records of searches.

They need no judgements and no language model. `figures` computes the inexpensive statistics when a
client or the page asks for them. `daily` adds the expensive ones, which are computed once a day:
drift, topics and index recall.
"""
