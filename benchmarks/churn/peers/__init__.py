"""The programs of the peers, one module for each peer.

They run in a Python environment that has the packages of peers.txt. They import no part of
Ragline. `peer_system` starts them.
"""
