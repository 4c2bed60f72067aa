"""Study B's published numbers and those of its public logs → results/published/multitask-peft.

`importer` reads two tables (figures, typed tables); `facts.toml` holds what neither has: split
sizes and loss weights.
"""
