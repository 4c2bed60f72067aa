"""Checksums of shipped files: SHA256SUMS as sha256sum prints it, and ROWS, a digest per block of
lines, so that a changed file can be told where it changed.
"""

import hashlib
from pathlib import Path

from mtpeft.core.errors import BadInput
from mtpeft.core.files import write_atomic
from mtpeft.core.paths import shown
from mtpeft.core.provenance import sha256

SUMS = "SHA256SUMS"
HEADS = "ROWS"


def listed(folder: Path) -> list[Path]:
    """The files of an archive folder that are checksummed, sorted."""
    return sorted(
        p
        for p in folder.rglob("*")
        if p.is_file() and p.name not in (SUMS, HEADS) and not p.name.startswith(".")
    )


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS (as sha256sum prints it) and ROWS (a digest per run and line block) over a
    folder; what was listed and is gone is printed.
    """
    for name in sorted(
        _shipped(folder) - {p.relative_to(folder).as_posix() for p in listed(folder)}
    ):
        print(f"no longer there: {shown(folder / name)}")
    write_atomic(
        folder / SUMS,
        "".join(f"{sha256(p)}  {p.relative_to(folder).as_posix()}\n" for p in listed(folder)),
    )
    write_atomic(
        folder / HEADS,
        "".join(
            f"{digest}  {p.relative_to(folder).as_posix()}  {number}\n"
            for p in listed(folder)
            for number, digest in enumerate(_blocks(p))
        ),
    )


def _shipped(folder: Path) -> set[str]:
    return set(read_sums(folder)) if (folder / SUMS).is_file() else set()


BLOCK = 50


def _blocks(path: Path) -> list[str]:
    """A short digest of every 50 lines: enough to name the lines that changed, small enough to
    ship.
    """
    lines = path.read_bytes().splitlines(keepends=True)
    return [
        hashlib.sha256(b"".join(lines[i : i + BLOCK])).hexdigest()[:12]
        for i in range(0, len(lines), BLOCK)
    ]


def read_sums(folder: Path) -> dict[str, str]:
    """The checksums that were shipped with a folder, by file name.

    Raises:
        BadInput: The file is missing, or a line of it is not what sha256sum writes.
    """
    path = folder / SUMS
    if not path.is_file():
        raise BadInput(
            path, "no such file", "the checksums of the archive", f"git checkout {shown(folder)}"
        )
    result = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        digest, separator, name = line.partition("  ")
        if not separator or len(digest) != 64 or not name:
            raise BadInput(
                path,
                f"{line!r}",
                "SHA-256, two blanks, file name",
                f"git checkout {shown(path)}",
                line=number,
            )
        result[name] = digest
    return result


def where_changed(folder: Path, name: str) -> str:
    """Which lines of a changed file differ from what was shipped, as precisely as the shipped
    digests tell.
    """
    shipped = (
        [
            line.split("  ")[0]
            for line in (folder / HEADS).read_text(encoding="utf-8").splitlines()
            if line.split("  ")[1] == name
        ]
        if (folder / HEADS).is_file()
        else []
    )
    now = _blocks(folder / name)
    if not shipped:
        return ""
    changed = [i for i, digest in enumerate(now) if i >= len(shipped) or shipped[i] != digest]
    if not changed:
        return f"lines from {len(now) * BLOCK + 1} on are gone"
    first, last = changed[0] * BLOCK + 1, (changed[-1] + 1) * BLOCK
    where = f"first difference in lines {first}–{first + BLOCK - 1}"
    return where + (
        f", last in lines {last - BLOCK + 1}–{last}" if changed[-1] != changed[0] else ""
    )
