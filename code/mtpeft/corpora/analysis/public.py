"""Devign's test set and a part of BigCloneBench, from public git repositories at pinned commits.

What is made here is known by its SHA-256 (data/manifest.toml), so that a rule which gave other
bytes would be refused.
"""

import json
from hashlib import sha256
from pathlib import Path

from mtpeft.core import paths
from mtpeft.core.errors import BadInput
from mtpeft.core.files import json_objects, read_text, text_lines
from mtpeft.core.git import checkout
from mtpeft.corpora.analysis.formats import Rows, devign
from mtpeft.corpora.examples import Example
from mtpeft.corpora.fetch import require
from mtpeft.corpora.manifest import manifest

PAIRS, PAIRS_COMMIT = (
    "soarsmu/attack-pretrain-models-of-code",
    ("d42169557a3641628931c6eb00af6f4bd66b380a"),
)
PAIRS_FOLDER = "CodeXGLUE/Clone-detection-BigCloneBench/dataset"
FUNCTIONS, FUNCTIONS_COMMIT = "zhengly1/bigclonebench", "47de99612e9f285bf8ecc800760f70de66d80c33"
RESPLIT, RESPLIT_SEED = {"train": 0.8, "valid": 0.1, "test": 0.1}, 42
_WRAPPER = "public class BigbenchClone{"


def devign_test() -> str:
    """CodeXGLUE's test.jsonl of Devign: its seven pieces without what was added, sorted by `idx`.

    Raises:
        MtpeftError: A piece cannot be had.
    """
    rows = []
    for name, entry in manifest().files.items():
        if name.startswith("vulnerability-detection/piece-"):
            rows += [row for _, row in json_objects(require(entry), ("idx", "func", "target"))]
    rows.sort(key=lambda row: row["idx"])
    kept = ({k: v for k, v in row.items() if k != "substitutes"} for row in rows)
    return "".join(json.dumps(row) + "\n" for row in kept)


def clone_functions() -> str:
    """The functions of all test pairs, and of the training and validation pairs whose functions are
    both public.

    Raises:
        Unavailable: Neither mirror nor network has the repositories.
    """
    places = []
    for repository, commit, folders in (
        (PAIRS, PAIRS_COMMIT, (PAIRS_FOLDER,)),
        (FUNCTIONS, FUNCTIONS_COMMIT, ()),
    ):
        place = paths.CACHE / "upstream" / repository / commit
        places.append(checkout(repository, commit, place, folders))
    return functions_text(places[0] / PAIRS_FOLDER, places[1])


def functions_text(pairs: Path, functions: Path) -> str:
    """One JSON object a line (idx, func), sorted by idx as text.

    Args:
        pairs: A folder with SPLIT_sampled.txt and test_subs_*.jsonl (id1, code1, id2, code2).
        functions: A checkout with FOLDER/IDX.java, each a function wrapped in a class.
    """
    known = {
        path.stem: path for path in sorted(functions.glob("*/*.java"), key=lambda p: p.as_posix())
    }
    test: dict[str, str] = {}
    for path in sorted(pairs.glob("test_subs_*.jsonl")):
        for _, row in json_objects(path, ("id1", "id2", "code1", "code2")):
            test |= {row["id1"]: row["code1"], row["id2"]: row["code2"]}
    wanted = set(test)
    for split in ("train", "valid"):
        for line in text_lines(read_text(pairs / f"{split}_sampled.txt")):
            both = set(line.split("\t")[:2])
            if both <= known.keys() | test.keys():
                wanted |= both
    texts = {name: test[name] if name in test else _unwrapped(known[name]) for name in wanted}
    return "".join(json.dumps({"idx": n, "func": texts[n]}) + "\n" for n in sorted(texts))


def _unwrapped(path: Path) -> str:
    text = read_text(path)
    if not text.startswith(_WRAPPER) or "}" not in text:
        raise BadInput(path, ascii(text[:40]), f"a function in {_WRAPPER} }}")
    return text[len(_WRAPPER) : text.rindex("}")]


def resplit(path: Path, split: str) -> list[Example]:
    """One of three parts of Devign's test set, about 80, 10 and 10 of 100 functions.

    Functions of one commit stay together: before and after a repair they are nearly the same text.
    Commits are taken in the order of the SHA-256 of seed and commit, until a part is full.

    Args:
        path: The file that `devign_test` gives.
        split: `train`, `valid` or `test`.
    """
    rows = list(Rows(path, {"func", "target", "commit_id"}))
    by_commit: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        by_commit.setdefault(str(row["commit_id"]), []).append(number)
    parts: dict[str, list[int]] = {name: [] for name in RESPLIT}
    for commit in sorted(by_commit, key=lambda c: sha256(f"{RESPLIT_SEED} {c}".encode()).digest()):
        open_parts = (n for n, share in RESPLIT.items() if len(parts[n]) < share * len(rows))
        parts[next(open_parts, "test")] += by_commit[commit]
    chosen = set(parts[split])
    return [e for number, e in enumerate(devign(rows)) if number in chosen]
