"""The flaky tests of FlakeFlagger in a split of this project's own: 13,081 / 4,360 / 4,361,
stratified, by a fixed seed.

The study publishes sizes and counts of positives (485 / 162 / 162), not its split; a result on this
one is not a result on that one. The set holds the same method several times (`leaks` counts it): a
stratified split of methods, the study's and this one, puts some of them on both sides.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path

from mtpeft.core import paths
from mtpeft.core.errors import BadInput
from mtpeft.core.files import json_objects, read_text
from mtpeft.core.git import checkout
from mtpeft.corpora.analysis.formats import collapsed
from mtpeft.corpora.examples import Example

REPOSITORY, COMMIT = "AlshammariA/FlakeFlagger", "2fcbafc4713abbcc452bee07aa9681c7c8ccb707"
METHODS = "flakiness-predicter/input_data/original_tests"
SEED = 42
SIZES = {"train": (13081, 485), "valid": (4360, 162), "test": (4361, 162)}
"""(examples, positives) of each split."""


def read(path: Path) -> list[Example]:
    """Every method, in the file's order.

    Raises:
        BadInput: A line is no such object; the error names file and line.
    """
    found = []
    for number, row in json_objects(path, ("path", "label", "code"), "make data"):
        try:
            found.append(
                Example(
                    row["path"].rsplit("original_tests/", 1)[-1],
                    "flaky-detection",
                    "java",
                    {"code": collapsed(row["code"])},
                    str(int(row["label"])),
                )
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise BadInput(
                path,
                f"{type(error).__name__}: {error}",
                "texts for path and code, 0 or 1 for label",
                "make data",
                line=number,
            ) from error
    return found


def build() -> str:
    """The file that `read` reads, from FlakeFlagger's repository at its pinned commit.

    Raises:
        Unavailable: Neither mirror nor network has the repository.
    """
    mirror = paths.mirror()
    root = mirror / REPOSITORY / COMMIT if mirror else None
    if root is None or not (root / METHODS).is_dir():
        place = paths.CACHE / "upstream" / REPOSITORY / COMMIT
        root = checkout(REPOSITORY, COMMIT, place, (METHODS,))
    return methods_text(root)


def methods_text(root: Path) -> str:
    """One JSON object a line (path, label, code) for each test method, sorted by path.

    Args:
        root: A checkout of the repository; what lies below `flakyMethods` has the label 1.
    """
    lines = []
    for path in sorted((root / METHODS).rglob("*.java"), key=lambda p: p.as_posix()):
        code = read_text(path).replace("\r\n", "\n")
        label = int("flakyMethods" in path.parts)
        row = {"path": path.relative_to(root).as_posix(), "label": label, "code": code}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines)


def split(
    methods: Sequence[Example], seed: int = SEED, sizes: dict[str, tuple[int, int]] = SIZES
) -> dict[str, list[Example]]:
    """The three splits, each in the order of `methods`; the methods of each class are shuffled and
    dealt out.

    Args:
        methods: All of them.
        seed: Of the shuffling.
        sizes: Methods and positives of each split.

    Raises:
        BadInput: The counts do not add up to the methods given.
    """
    total = {"1": sum(p for _, p in sizes.values()), "0": sum(n - p for n, p in sizes.values())}
    rng = random.Random(seed)
    place: dict[int, str] = {}
    for label in ("1", "0"):
        members = [i for i, e in enumerate(methods) if e.target == label]
        if len(members) != total[label]:
            raise BadInput(
                "flaky-detection/methods",
                f"{len(members)} methods of class {label}",
                f"{total[label]}",
            )
        rng.shuffle(members)
        at = 0
        for name, (n, positives) in sizes.items():
            take = positives if label == "1" else n - positives
            place |= dict.fromkeys(members[at : at + take], name)
            at += take
    return {name: [e for i, e in enumerate(methods) if place[i] == name] for name in sizes}


def leaks(splits: dict[str, list[Example]]) -> dict[str, int]:
    """How many test and validation methods have the same code as a training one, and how many of
    those another label.
    """
    known: dict[str, set[str]] = {}
    for example in splits["train"]:
        known.setdefault(example.inputs["code"], set()).add(example.target)
    result = {}
    for name in ("valid", "test"):
        same = [e for e in splits[name] if e.inputs["code"] in known]
        result[name] = len(same)
        result[f"{name}_other_label"] = sum(known[e.inputs["code"]] != {e.target} for e in same)
    return result
