"""Running a Java analyser over a batch: one file per item in a folder of its own, one virtual
machine for all.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mtpeft.core import processes
from mtpeft.core.files import scratch
from mtpeft.scoring.interface import Item
from mtpeft.scoring.tools.setup_analysers import java
from mtpeft.scoring.wrapping import SUFFIX, file_of

# Compiled code lives for seconds here: the second compiler costs more than it saves (half the CPU
# time without it).
FLAGS = (
    "-Xms256m",
    "-Xmx2g",
    "-Xss16m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Dfile.encoding=UTF-8",
)


class Sources(dict[Path, Item]):
    """The items by the paths of their files, which lie below `root`."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root


@contextmanager
def sources(items: Sequence[Item]) -> Iterator[Sources]:
    """The items' files below a temporary folder, by path.

    Each is named as its class and lies in a project of its own, in the folder of its package: a
    tool's rules about names see what they would see there.
    """
    with scratch("java") as folder:
        files = Sources(folder.resolve())
        for number, item in enumerate(items):
            source = file_of(item)
            place = files.root.joinpath(f"{number:05d}", *source.package)
            path = place / f"{source.name}{SUFFIX['java']}"
            place.mkdir(parents=True)
            path.write_text(source.text, encoding="utf-8", newline="")
            files[path] = item
        yield files


def run(
    arguments: Sequence[str],
    work: Path,
    accept: tuple[int, ...] = (0,),
    seconds: float = 600,
    given: str = "",
) -> tuple[str, str]:
    """Run Java.

    Args:
        arguments: Of the launcher.
        work: The folder to run it in.
        accept: Exit codes that are fine.
        seconds: Time limit.
        given: Its standard input.

    Returns:
        Standard output and standard error.

    Raises:
        MtpeftError: It ends with any other exit code.
    """
    done = processes.run(
        [java(), *FLAGS, *arguments],
        cwd=work,
        # Names of files in UTF-8 and messages in English, whatever the machine's locale.
        environment={**os.environ, "LC_ALL": "C.UTF-8"},
        given=given,
        seconds=seconds,
        accept=accept,
        fix="make setup-analysers",
    )
    return done.text, done.err.decode("utf-8", "replace")
