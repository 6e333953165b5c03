"""Programs that run in an environment with peers.txt installed, one module for each peer.

They import nothing of Ragline. `peer_system` starts them.
"""
