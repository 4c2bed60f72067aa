"""Why a published value does not reproduce: a search over what may have gone wrong, run as an
experiment.

`readings.py` says from which scores a test was computed, `hypotheses.py` enumerates what else it
might have been computed from, `search.py` keeps the simplest hypothesis that reproduces the printed
digits, `consistency.py` checks printed values whose inputs are not archived against each other,
`scores.py` audits the archived scores themselves.
"""
