"""What every room stands on: paths, errors with their fix, provenance, records. Knows no study, no
model.
"""
