"""One shared backbone, one shared module set, one head per task.

`backbones` builds encoders, `pooling` turns hidden states into one vector, `heads` and `model` put
a head per task on it, `methods` says what is trained, `counts` says how much that is. `samplers`
and `weighting` decide what a step sees and how losses add up; `loop` trains, `ledger` keeps the
bill. Importing this package needs no deep-learning library.
"""
