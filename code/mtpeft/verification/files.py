"""Tier T0: the files as shipped, against SHA256SUMS beside them."""

import hashlib
from pathlib import Path

from mtpeft.core.errors import BadInput
from mtpeft.core.paths import ARCHIVED, PUBLISHED, REGENERATED, shown
from mtpeft.core.provenance import sha256
from mtpeft.core.records import Verdict, read_records, write_atomic, write_records

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
    folder.
    """
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


def _read_sums(folder: Path) -> dict[str, str]:
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


def check(folders: tuple[Path, ...] = (ARCHIVED, PUBLISHED)) -> list[Verdict]:
    """One verdict per shipped file, plus one per file that should not be there."""
    verdicts = []
    for folder in folders:
        sums = _read_sums(folder)
        present = {p.relative_to(folder).as_posix() for p in listed(folder)}
        for name in sorted(sums.keys() | present):
            path = folder / name
            found, expected, reason = "", sums.get(name, ""), ""
            if name not in sums:
                reason = "not among the shipped files"
                found = sha256(path)
            elif name not in present:
                reason = "missing"
            else:
                found = sha256(path)
                if found != expected:
                    reason = f"changed: {where_changed(folder, name)}".rstrip(": ")
            verdicts.append(
                Verdict(
                    id=shown(path),
                    tier="T0",
                    kind="file",
                    published="",
                    archived=expected,
                    regenerated=found,
                    tolerance="",
                    tolerance_source="SHA-256 equal",
                    verdict="differs" if reason else "exact",
                    reason=reason,
                    command="make check-files",
                )
            )
    return verdicts


def _older(path: Path) -> bool:
    """Whether an archived file was touched since `path` was written (make then wants a newer one)."""
    return any(
        p.stat().st_mtime > path.stat().st_mtime
        for folder in (ARCHIVED, PUBLISHED)
        for p in listed(folder)
    )


def check_and_write() -> None:
    """Check, write the verdicts, and refuse to go on with an archive that is not the one shipped."""
    verdicts = check()
    path = REGENERATED / "verification" / "files.csv"
    if not path.is_file() or read_records(path, Verdict) != verdicts or _older(path):
        write_records(path, verdicts, Verdict)
    bad = [v for v in verdicts if v.verdict != "exact"]
    if bad:
        raise BadInput(
            bad[0].id,
            "; ".join([bad[0].reason, *(f"{v.id}: {v.reason}" for v in bad[1:])]),
            "the files as shipped",
            "git checkout results/archived results/published",
        )
    print(f"T0: {len(verdicts)} archived files, all as shipped")
