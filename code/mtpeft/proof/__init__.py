"""Studies of ours that are run on this machine, from training to tables: real weights, real corpora,
small enough for a laptop.
"""
