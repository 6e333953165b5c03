"""The churn benchmark: what a retrieval system does when its source changes.

`scenario` says what happens to a tree of documents (`source_tree`, `marks`), `measuring` lets a
system follow and judges it from outside (`judging`), `report` prints. A system is driven through
the adapter in `system`; `ragline_system` and `peer_system` are such adapters, and `peers` holds the
programs that the latter runs in an environment of their own. Standard library only, but for
the database server that `__main__` starts. Described in README.md.
"""
