"""Public logs, notebook and LaTeX table of the multi-task PEFT study → results/published/multitask-peft.

`upstream` names the two repositories, `reading`, `revision`, `early`, `prompted` and `typed` read
one format each, `names` translates what they call things, `parameters` counts what is trained,
`collect` chooses the figures, `counterparts` holds typed cells against logs, `importer` writes.
"""
