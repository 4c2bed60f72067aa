"""One hash seed for every entrance.

The order of Python's sets of texts follows a seed that a process draws at its start, and a released
metric's values depend on it. `make` fixes it; so does the command itself, by starting itself again.
"""

import os
import sys

SEED = "0"


def fix_seed() -> None:
    """Start this command again under the fixed seed, unless the environment names one."""
    named = os.environ.get("PYTHONHASHSEED", "")
    # Python that ignores its environment would always ignore the seed.
    if named.isdigit() or sys.flags.ignore_environment:
        return
    os.environ["PYTHONHASHSEED"] = SEED
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def seed() -> str:
    """The seed of this process, or '' where it was drawn at random."""
    named = os.environ.get("PYTHONHASHSEED", "")
    return named if named.isdigit() and not sys.flags.ignore_environment else ""
