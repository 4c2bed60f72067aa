"""T0: the archived files against their checksums."""

from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section


def section(inputs: Inputs) -> Section:
    """Every file that was checked."""
    verdicts = inputs.verdicts_of_kind("file")
    return Section(
        "files",
        "Files (T0)",
        render(
            "checked.html",
            verdicts=verdicts,
            command="make verify",
            what="file",
            text="Each archived file against the SHA-256 it was released with.",
        ),
        str(len(verdicts) or "not run"),
    )
