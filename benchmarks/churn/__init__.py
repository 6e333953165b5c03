"""The churn benchmark: what a retrieval system does when its source changes.

`scenario` contains the steps. A step changes a tree of documents. `source_tree` contains the tree,
and `marks` adds unique words to its texts. `measuring` runs a system through the steps. `judging`
compares the served texts with the tree. `report` formats the results. `system` is the interface
of an adapter. `ragline_system` and `peer_system` are adapters. `peers` contains the programs that
`peer_system` runs in a separate Python environment. README.md describes the benchmark.

Outside `peers`, only `__main__` needs more than the standard library: it connects to the database
server, and it starts one if necessary.
"""
