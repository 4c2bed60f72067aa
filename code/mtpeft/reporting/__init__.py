"""Tests and scores → tables, figures and one offline report. Everything here is a pure function of
records.

A table kind is a module in `tables/`, a figure kind one in `figures/`, a part of the report one in
`sections/`; each is found by its name, so that another study or tier adds modules and catalog
entries and changes nothing that is there.
"""
