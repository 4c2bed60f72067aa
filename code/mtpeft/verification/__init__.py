"""Regenerated against archived against published: one verdict per cell, claim and file.

`cells.py` judges printed values, `claims` published sentences, and `stage.py` adds both to the T0
verdicts.
"""
