"""Scores → tests: pairing by instance, R through rpy2, adjustment within the study's families,
under two protocols.
"""
