"""Tier T0: the files as shipped, against SHA256SUMS in their folder."""

from pathlib import Path

from mtpeft.core.checksums import listed, read_sums, where_changed
from mtpeft.core.errors import BadInput
from mtpeft.core.paths import ARCHIVED, PUBLISHED, REGENERATED, shown
from mtpeft.core.provenance import sha256
from mtpeft.core.records import Verdict, read_records, write_records


def check(folders: tuple[Path, ...] = (ARCHIVED, PUBLISHED)) -> list[Verdict]:
    """One verdict per shipped file, plus one per file that should not be there."""
    verdicts = []
    for folder in folders:
        sums = read_sums(folder)
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


def _stands(path: Path, verdicts: list[Verdict]) -> bool:
    """Whether a file holds these verdicts; one of an earlier version of the package does not."""
    try:
        return path.is_file() and read_records(path, Verdict) == verdicts
    except BadInput:
        return False


def _older(path: Path) -> bool:
    """Whether an archived file was touched since `path` was written (make then wants a newer one)."""
    return any(
        p.stat().st_mtime > path.stat().st_mtime
        for folder in (ARCHIVED, PUBLISHED)
        for p in listed(folder)
    )


def check_and_write() -> None:
    """Check the shipped files and write the verdicts.

    Raises:
        BadInput: The archive is not the one shipped.
    """
    verdicts = check()
    path = REGENERATED / "verification" / "files.csv"
    if not _stands(path, verdicts) or _older(path):
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
