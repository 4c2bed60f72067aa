"""The one way to fetch from a git repository.

One pinned commit, never half, never into a place that passes for whole.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.files import scratch, write_atomic
from mtpeft.core.http import offline
from mtpeft.core.locks import held
from mtpeft.core.paths import shown
from mtpeft.core.processes import run

HOST = "https://github.com/"
COMPLETE = ".mtpeft-complete"
_SECONDS = 1800.0
_FULL = 40


def address(repository: str) -> str:
    """The address of `OWNER/NAME`; anything else (an address, a folder) is one already."""
    return (
        f"{HOST}{repository}.git"
        if repository.count("/") == 1 and ":" not in repository
        else repository
    )


def git(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    """What one git command in a repository says.

    Args:
        folder: The repository.
        arguments: Of git.
        given: Its standard input.

    Raises:
        MtpeftError: The command fails.
        Unavailable: There is no git.
    """
    # Never a question at the terminal: a private or misspelled repository is an error.
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
    done = run(
        ["git", "-C", str(folder), "-c", "core.autocrlf=false", *arguments],
        seconds=_SECONDS,
        given=given,
        environment=environment,
        most=4 << 30,
        fix="apt-get install git",
    )
    if done.code:
        raise MtpeftError(
            f"git {arguments[0]}: {done.problem[-300:]}",
            "a command that git can carry out",
            "check the repository, the commit and the network",
        )
    return done.out


def fetch_commit(repository: str, commit: str, folder: Path, *, sparse: bool = False) -> None:
    """Bring one commit without its history into a new repository in `folder`, an empty folder.

    Args:
        repository: `OWNER/NAME` on the study's host, an address, or a folder.
        commit: The hash; by the first digits alone the whole history is read.
        folder: Where the repository is made.
        sparse: Leave the files' contents to be fetched when they are checked out.

    Raises:
        Unavailable: Git or the repository cannot be reached, or it lacks the commit.
    """
    source = address(repository)
    if offline() and "://" in source and not source.startswith("file:"):
        raise Unavailable(
            f"{repository} is not on this machine and OFFLINE=1",
            f"commit {commit}",
            "set MTPEFT_MIRROR, or run without OFFLINE=1",
        )
    git(folder, "init", "--quiet")
    git(folder, "remote", "add", "origin", source)
    try:
        filters = ["--filter=blob:none"] if sparse else []
        if len(commit) == _FULL:
            git(folder, "fetch", "--quiet", "--depth=1", *filters, "origin", commit)
        else:  # a server gives no commit by a part of its hash
            git(
                folder,
                "fetch",
                "--quiet",
                *filters,
                "origin",
                "+refs/heads/*:refs/remotes/origin/*",
            )
            git(folder, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    except Unavailable:
        raise
    except MtpeftError as error:
        raise Unavailable(
            f"{source} cannot be fetched: {error.found}",
            f"the repository with commit {commit}",
            "connect to the network, or set MTPEFT_MIRROR",
        ) from error


def checkout(repository: str, commit: str, target: Path, paths: Sequence[str] = ()) -> Path:
    """The files of one commit at `target`: made in another place and renamed when they are whole.

    Args:
        repository: `OWNER/NAME` on the study's host, an address, or a folder.
        commit: The full hash.
        target: The folder to make; what is there is kept where it was finished, else replaced.
        paths: Folders and files that are needed; default: all.

    Raises:
        Unavailable: Git or the repository cannot be reached.
        MtpeftError: The commit has no such path.
    """
    marker = f"{commit} {' '.join(paths)}\n"
    with held(target):
        done = target / COMPLETE
        if done.is_file() and done.read_text(encoding="utf-8") == marker:
            return target
        with scratch("git", target.parent) as work:
            made = work / "repository"
            made.mkdir()
            fetch_commit(repository, commit, made, sparse=bool(paths))
            git(made, "checkout", "--quiet", commit, "--", *(paths or ["."]))
            write_atomic(made / COMPLETE, marker)
            if target.exists():
                # Left by a run that was cut off, or of other paths: moved aside whole, then removed
                # with the rest.
                os.rename(target, work / "old")
            os.rename(made, target)
    print(f"mtpeft: {shown(target)} fetched from {repository}@{commit[:7]}")
    return target
