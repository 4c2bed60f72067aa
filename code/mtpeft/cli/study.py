"""`mtpeft study`: make and check studies of your own."""

from mtpeft.cli.group import group

app = group("study", "Make and check studies of your own.")
