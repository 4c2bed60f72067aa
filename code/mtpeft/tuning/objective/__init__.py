"""What a run optimizes: `tokens` (a causal language model), `heads` (a head per task on an encoder).

Which one trains a run follows from what its tasks' outputs are; see `settings.objective_of`.
"""
