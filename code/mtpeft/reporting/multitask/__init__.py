"""Tables of published figures: one module a kind of table, named with dots in the catalog."""
