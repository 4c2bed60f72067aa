"""Check a machine before anything is installed: what is there, what is missing, the command that
gets it.

Runs on any Python 3 with the standard library alone. Exit code 0: `make reproduce-all` can run; 2:
it cannot.
"""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def version(command, *arguments):
    """First line that a program prints of its version, or None where it is not there."""
    if not shutil.which(command):
        return None
    done = subprocess.run([command, *(arguments or ("--version",))], capture_output=True, text=True)
    return ((done.stdout or done.stderr).strip().splitlines() or ["?"])[0]


def checks():
    """(needed for, what, found or None, command that fixes it)"""
    python = platform.python_version() if sys.version_info >= (3, 11) else None
    yield "reproduce-all", "Python 3.11 or later", python, "apt-get install python3 python3-venv"
    venv = "yes" if importlib.util.find_spec("ensurepip") else None
    yield "reproduce-all", "Python's venv module", venv, "apt-get install python3-venv"
    yield "reproduce-all", "GNU make", version("make"), "apt-get install make"
    yield (
        "reproduce-all",
        "R 4.2 or later",
        version("R"),
        "docker/setup/r.sh (make does it where it may)",
    )
    free = shutil.disk_usage(ROOT).free / 1e9
    yield (
        "reproduce-all",
        "1 GB of free disk",
        f"{free:.1f} GB" if free > 1 else None,
        "free some disk space",
    )
    yield "archive, predictions", "git", version("git"), "apt-get install git"
    mirror = os.environ.get("MTPEFT_MIRROR")
    yield (
        "re-scoring without network",
        "a mirror of upstream files",
        mirror,
        "set MTPEFT_MIRROR (optional)",
    )
    yield (
        "Java metrics",
        "JDK 17 or later",
        version("javac", "-version"),
        "apt-get install openjdk-17-jdk-headless",
    )
    yield "PMD's download", "npm", version("npm"), "apt-get install npm"
    yield (
        "C# metrics",
        ".NET SDK 8",
        version("dotnet"),
        "install the .NET 8 SDK (the container has it)",
    )
    yield "screenshot tests", "Chromium", version("chromium"), "apt-get install chromium"
    yield (
        "training at scale",
        "NVIDIA GPU",
        version("nvidia-smi", "-L"),
        "none: smoke runs and all tests use the CPU",
    )
    yield (
        "images",
        "container tool",
        next((t for t in ("docker", "podman", "buildah") if shutil.which(t)), None),
        "apt-get install buildah",
    )


def main():
    """Print the table; exit code 2 where reproduce-all cannot run."""
    failed = False
    for needed, what, found, fix in checks():
        failed |= found is None and needed == "reproduce-all" and not what.startswith("R ")
        print(f"{'ok  ' if found else 'MISS'}  {what:28} {found or fix:60}  ({needed})")
    print(
        "make reproduce-all can run here"
        if not failed
        else "make reproduce-all cannot run here yet: see MISS above"
    )
    sys.exit(2 if failed else 0)


if __name__ == "__main__":
    main()
