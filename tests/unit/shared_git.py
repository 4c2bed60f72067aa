"""A git repository on the disk that serves single commits, as the public hosts do."""

import subprocess
from pathlib import Path


def committed(folder: Path) -> str:
    """Make a folder a repository with one commit of everything in it; the commit."""
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (
        ["init", "-q"],
        ["config", "uploadpack.allowAnySHA1InWant", "true"],
        ["config", "uploadpack.allowFilter", "true"],
        ["add", "."],
        [*who, "commit", "-qm", "x"],
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    head = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    return subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
