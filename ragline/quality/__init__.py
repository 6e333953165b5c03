"""Statistics of searches, computed from the records of searches.

They need no judgements and no language model. `figures` has the statistics that are inexpensive and
computed for each request. `daily` adds the expensive ones, which are computed once a day: drift,
topics and index recall.
"""
