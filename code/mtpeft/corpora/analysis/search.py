"""Real text for code search: the Python cloze set of CodeXGLUE (CodeSearchNet) and the development
set of CoSQA.
"""

import json
import random
from pathlib import Path
from typing import Any

from mtpeft.core.errors import BadInput
from mtpeft.corpora.analysis.formats import collapsed
from mtpeft.corpora.examples import Example

SEED = 42
SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}


def _array(path: Path, keys: set[str]) -> list[dict[str, Any]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BadInput(
            path, f"malformed JSON: {error}", "a JSON array", line=error.lineno
        ) from error
    found: list[dict[str, Any]] = rows
    for number, row in enumerate(found):
        if not keys <= row.keys():
            raise BadInput(
                path, f"entry {number} lacks {', '.join(sorted(keys - row.keys()))}", "these keys"
            )
    return found


def cloze(path: Path) -> list[Example]:
    """Docstring and function of every cloze item, one token masked in place. Functions that occur
    twice are kept once.
    """
    found, seen = [], set()
    for row in _array(path, {"idx", "nl_tokens", "pl_tokens"}):
        code = collapsed(" ".join(row["pl_tokens"]))
        if code not in seen:
            seen.add(code)
            found.append(
                Example(
                    f"cloze-{row['idx']}",
                    "code-search",
                    "python",
                    {"query": collapsed(" ".join(row["nl_tokens"])), "code": code},
                    "1",
                )
            )
    return found


def split(examples: list[Example], seed: int = SEED) -> dict[str, list[Example]]:
    """60 / 20 / 20 by a fixed seed: the set has no split of its own."""
    order = list(range(len(examples)))
    random.Random(seed).shuffle(order)
    cuts = [
        round(len(order) * share) for share in (SHARES["train"], SHARES["train"] + SHARES["valid"])
    ]
    parts = order[: cuts[0]], order[cuts[0] : cuts[1]], order[cuts[1] :]
    return {
        name: [examples[i] for i in sorted(part)] for name, part in zip(SHARES, parts, strict=True)
    }


def cosqa(path: Path) -> list[Example]:
    """Query and function of every pair, target 1 where the function answers the query."""
    return [
        Example(
            row["idx"],
            "code-search",
            "python",
            {"query": collapsed(row["doc"]), "code": collapsed(row["code"])},
            str(int(row["label"])),
        )
        for row in _array(path, {"idx", "doc", "code", "label"})
    ]
