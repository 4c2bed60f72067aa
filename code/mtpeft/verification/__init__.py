"""Regenerated against archived against published: one verdict per cell, claim and file.

`cells.py` judges printed values, `claims.py` published sentences, `stage.py` puts both beside the
T0 verdicts.
"""
