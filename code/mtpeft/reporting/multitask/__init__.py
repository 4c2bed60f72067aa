"""Tables of study B: one module a kind of table, named with dots in the catalog; all read
`mtpeft.statistics.published`.
"""
