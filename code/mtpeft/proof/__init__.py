"""Studies of ours that are run on this machine, from training to tables: real weights, real corpora,
small enough for a laptop.

`driver` performs the stages, `heads` makes figures of what was trained, `conclusion` does the rest.
"""
