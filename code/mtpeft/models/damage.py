"""Whether the files of a checkpoint or model are whole, told by their form alone.

A kill or a full disk may leave a folder whose files are there and cannot be read. Presence is not
completeness: what is damaged is named and left out, so that an older checkpoint is taken.
"""

import json
import struct
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

_LARGEST_HEADER = 100 << 20


def damaged(folder: Path) -> str:
    """What is wrong with the first damaged file of a folder; empty where all are whole."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            if reason := _damage(path):
                return f"{path.name} {reason}"
        except OSError as error:
            return f"{path.name} cannot be read: {error.strerror}"
    return ""


def newest_whole(folders: Iterable[Path], step: int = 1) -> Path | None:
    """The checkpoint of the highest step that is whole; those that are not are named.

    Args:
        folders: Checkpoints, named `…-STEP`.
        step: Which part of the name, split at hyphens, is the step.
    """
    for folder in sorted(folders, key=lambda p: int(p.name.split("-")[step]), reverse=True):
        reason = damaged(folder)
        if not reason:
            return folder
        print(f"mtpeft: {folder} is left out: {reason}", file=sys.stderr)
    return None


def _damage(path: Path) -> str:
    if path.suffix == ".safetensors":
        return _safetensors(path)
    if path.suffix in (".pt", ".pth", ".bin") and not zipfile.is_zipfile(path):
        # torch.save has written zip archives since 1.6; the directory stands at their end.
        return "is no whole archive"
    if path.suffix == ".json":
        try:
            json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return "is no JSON"
    return ""


def _safetensors(path: Path) -> str:
    """The header names where every tensor ends; the file must reach as far and no farther."""
    size = path.stat().st_size
    with open(path, "rb") as stream:
        head = stream.read(8)
        if len(head) < 8:
            return "has no header"
        (length,) = struct.unpack("<Q", head)
        if length > min(size, _LARGEST_HEADER):
            return "ends within its header"
        try:
            header = json.loads(stream.read(length))
            ends = [v["data_offsets"][1] for k, v in header.items() if k != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return "has a damaged header"
    wanted = 8 + length + max(ends, default=0)
    return "" if size == wanted else f"has {size} bytes in place of {wanted}"
