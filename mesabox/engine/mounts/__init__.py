"""Repo mounts: an overlay for each mounted change, whose edits are committed to Mesa by themselves.

mounts.py is the room's face; live_tree.py is one mounted change; scan.py reads what was written; placing.py writes into
a mount; the in-sprite command is inside/mesa.py.
"""
