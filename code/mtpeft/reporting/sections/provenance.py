"""Who made this, from what. Must come last: it lists the files that the other parts read.

Times, machine and commit are no part of the page, so that equal inputs give equal bytes; they are
in `index.html.provenance.json` in the same folder.
"""

from mtpeft import __version__
from mtpeft.core.paths import ROOT
from mtpeft.core.provenance import sha256
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section


def section(inputs: Inputs) -> Section:
    """Every input with its SHA-256, and the locks of the environment."""
    files = sorted((inputs.shown(path), sha256(path)) for path in inputs.used)
    locks = [
        (f"docker/locks/{path.name}", sha256(path))
        for path in sorted((ROOT / "docker" / "locks").glob("*.txt"))
    ]
    return Section(
        "provenance",
        "Provenance",
        render("provenance.html", files=files, locks=locks, version=__version__),
    )
