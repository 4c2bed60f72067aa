"""The archive: a study's upstream files become tidy canonical tables inside the repository, once,
and are checked ever after.

May import the ground floor and the catalog. `scores.py` reads per-instance files, `outputs.py` the
printed statistics, `figures.py` published figures; `stage.py` imports a study.
"""
