"""Sonar's metrics: computed here by its rules, and imported from a server."""
