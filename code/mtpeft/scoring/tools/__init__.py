"""Analysers of one output at a time: a module a tool, and what they share."""
