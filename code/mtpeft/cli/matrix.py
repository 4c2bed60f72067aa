"""`mtpeft matrix`: which runs are finished, running and next."""

from mtpeft.cli.group import group

app = group("matrix", "Which runs are finished, running and next.")
