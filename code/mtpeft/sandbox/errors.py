"""Why the sandbox does not run."""

from mtpeft.core.errors import MtpeftError


class SandboxRefused(MtpeftError):
    """A guarantee cannot be had on this machine, so nothing is run.

    Args:
        guarantee: Its name.
        found: What was met.
        expected: What it needs.
        fix: How to get that.
    """

    def __init__(self, guarantee: str, found: str, expected: str, fix: str) -> None:
        self.guarantee, self.reason = guarantee, found
        super().__init__(f"the sandbox cannot guarantee '{guarantee}': {found}", expected, fix)


class ConfinementError(OSError):
    """A step of the confinement failed in the child, before the program started."""
