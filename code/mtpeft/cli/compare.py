"""`mtpeft compare`: statistics over prediction files or score tables of your own runs."""

from mtpeft.cli.group import group

app = group("compare", "Statistics over prediction files or score tables of your own runs.")
