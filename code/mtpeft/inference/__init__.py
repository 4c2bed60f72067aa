"""Adapter + examples → predictions. Importing this package needs no deep-learning library; running
it does.
"""
