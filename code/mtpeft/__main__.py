"""`python -m mtpeft`."""

from mtpeft.core.hashing import fix_seed

fix_seed()  # before anything that takes time is imported

from mtpeft.cli import main  # noqa: E402

main()
