"""The folder that runs write into: claimed by a marker when something is first written, cleaned
only by that marker.

`MTPEFT_OUT` may name any folder, also one that holds a person's own files. The marker says what was
there before the package came and which entries the package made; `make clean` (`python -m
mtpeft.core.output`) removes these entries and nothing else, and refuses a folder that it cannot be
sure of. It needs the standard library alone.
"""

import contextlib
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError

MARKER = ".mtpeft-output.json"
_claimed: set[tuple[Path, str]] = set()


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.name != MARKER)
    except OSError:
        return []


# What was there when this process began: a library may write into the folder before anything here
# is asked.
_at_start = {paths.REGENERATED: _names(paths.REGENERATED)}


@dataclass
class Marker:
    """What the package knows of an output folder.

    Attributes:
        made: Whether the package made the folder itself.
        foreign: Entries that were there before.
        entries: Those that it made.
    """

    made: bool
    foreign: list[str] = field(default_factory=list)
    entries: list[str] = field(default_factory=list)


def claim(path: Path) -> None:
    """Note that the package is about to write `path`, where that lies in the output folder.

    Call it before the first file or folder of an entry is made.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = paths.REGENERATED
    if folder not in path.parents:
        return
    entry = path.relative_to(folder).parts[0]
    if (folder, entry) in _claimed:
        return
    made = not folder.exists() or (folder in _at_start and not _at_start[folder])
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        marker = _read(folder)
        if marker is None:
            present = _at_start.get(folder, [] if made else _names(folder))
            # The default folder is nobody else's: what an older version of the package left there
            # is the package's.
            own = folder == paths.ROOT / "results" / "regenerated"
            marker = Marker(made or own, [] if own else present, present if own else [])
        if entry not in marker.foreign and entry not in marker.entries:
            marker.entries = sorted([*marker.entries, entry])
        _write(folder, marker)
    _claimed.add((folder, entry))


def clean(folder: Path) -> list[str]:
    """Remove what the package wrote into a folder.

    Returns:
        The names of the entries removed.

    Raises:
        MtpeftError: The package did not mark the folder, it holds anything else, or it is or holds
            the checkout, the home folder or the working folder; nothing is removed.
    """
    folder = Path(os.path.realpath(folder))
    if not folder.exists():
        return []
    for place, name in (
        (paths.ROOT, "the checkout"),
        (Path.home(), "the home folder"),
        (Path.cwd(), "the working folder"),
    ):
        if folder == place.resolve() or folder in place.resolve().parents:
            raise MtpeftError(
                f"{folder} is or holds {name}",
                "a folder that only the package writes into (MTPEFT_OUT)",
                "unset MTPEFT_OUT, or remove by hand what is not wanted",
            )
    marker = _read(folder)
    if marker is None:
        raise MtpeftError(
            f"{folder} has no marker of this package ({MARKER})",
            "a folder that the package wrote",
            f"check MTPEFT_OUT; remove the folder by hand if it is the right one: ls -la {folder}",
        )
    present = _names(folder)
    foreign = [name for name in present if name not in marker.entries]
    if foreign:
        more = f" and {len(foreign) - 5} more" if len(foreign) > 5 else ""
        raise MtpeftError(
            f"{folder} holds what the package did not write: {', '.join(foreign[:5])}{more}",
            "nothing but the package's own results",
            "move these files elsewhere, then: make clean",
        )
    try:
        for name in present:
            place = folder / name
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink()
        (folder / MARKER).unlink()
    except OSError as error:
        raise MtpeftError(
            f"cannot remove {error.filename}: {error.strerror}",
            "a folder that this user may change",
            f"ls -ld {folder}",
        ) from error
    if marker.made:
        with contextlib.suppress(
            OSError
        ):  # a mount point stays, and so does what came in the meantime
            folder.rmdir()
    return present


def _read(folder: Path) -> Marker | None:
    path = folder / MARKER
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Marker(
            bool(data["made"]), [str(n) for n in data["foreign"]], [str(n) for n in data["entries"]]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MtpeftError(
            f"{path} cannot be read: {error}",
            "the marker that the package wrote",
            f"check MTPEFT_OUT; remove the folder by hand if it is the right one: ls -la {folder}",
        ) from error


def _write(folder: Path, marker: Marker) -> None:
    text = (
        json.dumps(
            {"made": marker.made, "foreign": marker.foreign, "entries": marker.entries}, indent=1
        )
        + "\n"
    )
    part = folder / f"{MARKER}.part"
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, folder / MARKER)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against other processes of the package (a lock on the folder itself leaves no
    file behind).
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def main() -> int:
    """`make clean`: exit code 0, or 2 with the reason."""
    try:
        removed = clean(paths.REGENERATED)
    except MtpeftError as error:
        print(f"mtpeft: {error}", file=sys.stderr)
        return error.exit_code
    print(
        f"mtpeft: removed {', '.join(removed)} from {paths.shown(paths.REGENERATED)}"
        if removed
        else f"mtpeft: nothing to remove in {paths.shown(paths.REGENERATED)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
