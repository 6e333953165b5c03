"""The churn benchmark: what a retrieval system does when its source changes.

`scenario` has the steps that change a tree of documents (`source_tree`, `marks`). `measuring` runs
a system through the steps and judges it from outside (`judging`). `report` prints the results.
`system` is the interface of an adapter; `ragline_system` and `peer_system` are adapters. `peers`
has the programs that `peer_system` runs in an environment of their own. Only the database server
that `__main__` starts needs more than the standard library. README.md describes the benchmark.
"""
