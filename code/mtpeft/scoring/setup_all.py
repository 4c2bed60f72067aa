"""`mtpeft score setup`: every analyser that is no Python package, fetched, built and put in place."""

from collections.abc import Callable
from functools import partial

from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.scoring import other_versions
from mtpeft.scoring.text_metrics import setup_wordnet
from mtpeft.scoring.tools import roslyn
from mtpeft.scoring.tools.setup_analysers import install, pinned


def run() -> int:
    """Install everything and print what was done.

    Returns:
        The number of tools that could not be obtained.
    """
    missing = 0
    steps: list[Callable[[], str]] = [
        *(partial(install, tool) for tool in pinned().values()),
        roslyn.install,
        lambda: f"WordNet 3.0: {paths.shown(setup_wordnet())}",
        *(partial(other_versions.install, version) for version in other_versions.pinned()),
    ]
    for step in steps:
        try:
            print(step())
        except MtpeftError as error:  # what cannot be had must not cost the other tools
            missing += 1
            print(error)
    return missing
