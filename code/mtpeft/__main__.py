"""`python -m mtpeft`."""

from mtpeft.cli import main

main()
