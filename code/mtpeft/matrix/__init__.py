"""Runs × seeds as a chain of stages: what is finished, what failed, what is next."""
