"""Examples by task and split, from the best source that is available."""

import os
import tomllib
from functools import lru_cache
from itertools import combinations, islice
from pathlib import Path

from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.core.files import no_file
from mtpeft.core.paths import DATA
from mtpeft.corpora import hub
from mtpeft.corpora.analysis import flakeflagger, formats, public, search
from mtpeft.corpora.derived import built
from mtpeft.corpora.examples import Example, read_examples
from mtpeft.corpora.fetch import require
from mtpeft.corpora.manifest import manifest

OWN = DATA / "smoke" / "analysis"
TASKS = ("vulnerability-detection", "clone-detection", "code-search", "flaky-detection")
CLONE_CAP = 300_000
"""The revision trains on the first 300,000 pairs in file order."""
_HUB_SPLIT = {"train": "train", "valid": "validation", "test": "test"}


def examples(task: str, split: str, source: str = "study", retrieval: str = "") -> list[Example]:
    """The examples of a task.

    Args:
        task: One of `TASKS`.
        split: `train`, `valid` or `test`.
        source: `study` (the published set), `cloze` (search only), `cosqa` (search, test split
            only), `public` (the same for search and flaky tests; Devign, and the part of
            BigCloneBench that CodeXGLUE's attackers sampled), `resplit` (the same, and Devign's
            test set divided into three), `own` (tiny, tests).
        retrieval: The source for code search, where it is another one.

    Raises:
        UnknownName: For other names.
        MtpeftError: For what cannot be had here.
    """
    if task not in TASKS:
        raise UnknownName("task of code analysis", task, TASKS)
    source = retrieval if retrieval and task == "code-search" else source
    if split not in _HUB_SPLIT:
        raise UnknownName("split", split, _HUB_SPLIT)
    if source == "own":
        return own(task, split)
    if source == "cloze" and task == "code-search":
        return _cloze()[split]
    if source == "cosqa" and task == "code-search":
        if split != "test":
            raise MtpeftError(
                f"CoSQA's development set has no {split} split",
                "--split test: it is one set, to test on",
                "the source cloze has three splits",
            )
        return search.cosqa(require(manifest().files["code-search/cosqa-dev"]))
    if source == "resplit" and task == "vulnerability-detection":
        return public.resplit(built("vulnerability-detection/test"), split)
    if source in ("public", "resplit") and task in ("clone-detection", "vulnerability-detection"):
        return _public(task, split)
    if source not in ("study", "public", "resplit"):
        raise UnknownName(
            "source",
            source,
            (
                "study",
                "public",
                "resplit",
                "own",
                *(("cloze", "cosqa") if task == "code-search" else ()),
            ),
        )
    if task == "flaky-detection":
        return _flaky()[split]
    if task == "vulnerability-detection":
        return _public(task, split)
    if task == "clone-detection":
        return _clones(split)
    rows = hub.rows(manifest().hub["code-search/advtest"], _HUB_SPLIT[split])
    return list(formats.search_rows(rows))


@lru_cache(maxsize=4)
def _public(task: str, split: str) -> list[Example]:
    files = manifest().files
    if task == "clone-detection":
        pairs = require(files[f"clone-detection/{split}-pairs"])
        return list(formats.clone_files(built("clone-detection/functions"), pairs))
    name = f"vulnerability-detection/{split}"
    path = built(name) if split == "test" else require(files[name])
    return list(formats.devign(formats.Rows(path, {"func", "target"})))


def _clones(split: str) -> list[Example]:
    """CodeXGLUE's own pairs; of those to train on, as many as the revision reads."""
    files = manifest().files
    functions = require(files["clone-detection/all-functions"])
    found = formats.clone_files(functions, require(files[f"clone-detection/{split}-all-pairs"]))
    return list(islice(found, CLONE_CAP) if split == "train" else found)


@lru_cache(maxsize=1)
def _flaky() -> dict[str, list[Example]]:
    return flakeflagger.split(flakeflagger.read(built("flaky-detection/methods")))


@lru_cache(maxsize=1)
def _cloze() -> dict[str, list[Example]]:
    return search.split(search.cloze(require(manifest().files["code-search/cloze"])))


def own(task: str, split: str, folder: Path = OWN) -> list[Example]:
    """The project's own tiny sets, dealt out by position: of every five, the fourth validates and
    the fifth tests.
    """
    data = tomllib.loads((folder / f"{task}.toml").read_text(encoding="utf-8"))
    made: list[Example] = []
    if task == "clone-detection":
        groups = data["method"]
        for i, group in enumerate(groups):
            for a, b in combinations(group["versions"], 2):
                made.append(Example(f"own-{i}-same-{len(made)}", task, "java", _pair(a, b), "1"))
            other = groups[(i + 1) % len(groups)]
            for a, b in zip(group["versions"], other["versions"], strict=True):
                made.append(Example(f"own-{i}-other-{len(made)}", task, "java", _pair(a, b), "0"))
    elif task == "code-search":
        made = [
            Example(
                f"own-{i}",
                task,
                "python",
                {"query": f["query"], "code": formats.collapsed(f["code"])},
                "1",
            )
            for i, f in enumerate(data["function"])
        ]
    else:
        language = {"vulnerability-detection": "c", "flaky-detection": "java"}[task]
        for i, f in enumerate(data["function"]):
            for label in ("1", "0"):
                made.append(
                    Example(
                        f"own-{i}-{label}",
                        task,
                        language,
                        {"code": formats.collapsed(f["bad" if label == "1" else "good"])},
                        label,
                    )
                )
    units = [e.id.split("-")[1] for e in made]
    place = {unit: n % 5 for n, unit in enumerate(dict.fromkeys(units))}
    wanted = {"train": (0, 1, 2), "valid": (3,), "test": (4,)}[split]
    return [e for e, unit in zip(made, units, strict=True) if place[unit] in wanted]


def from_folder(folder: Path, task: str, split: str) -> list[Example]:
    """Examples from a folder of yours: `<split>.jsonl` in the project's form, else the upstream
    layout below `<task>/`.

    Upstream: vulnerability-detection/<split>.jsonl (func, target), clone-detection/data.jsonl and
    <split>.txt, code-search/<split>.jsonl (code_tokens, docstring_tokens),
    flaky-detection/<split>.json (an array of code, label).

    Raises:
        BadInput: The folder has neither, or a file is malformed.
    """
    if os.path.lexists(folder / f"{split}.jsonl"):
        return [e for e in read_examples(folder / f"{split}.jsonl") if e.task == task]
    place = folder / task
    named = {
        "vulnerability-detection": f"{split}.jsonl",
        "clone-detection": f"{split}.txt",
        "code-search": f"{split}.jsonl",
        "flaky-detection": f"{split}.json",
    }
    if task not in named or not (place / named[task]).is_file():
        raise no_file(
            place / named.get(task, f"{split}.jsonl"),
            f"it, or {folder / split}.jsonl with examples of {task}",
            "see corpora/analysis/load.py for the layouts",
        )
    path = place / named[task]
    if task == "clone-detection":
        return list(formats.clone_files(place / "data.jsonl", path))
    if task == "flaky-detection":
        return list(formats.flaky_array(path))
    devign = task == "vulnerability-detection"
    rows = formats.Rows(path, {"func", "target"} if devign else set())
    try:
        return list(formats.devign(rows) if devign else formats.search_rows(rows))
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            path,
            f"{type(error).__name__}: {error}",
            "rows of the upstream layout",
            "see corpora/analysis/load.py for the layouts",
            line=rows.line,
        ) from error


def _pair(a: str, b: str) -> dict[str, str]:
    return {"code1": formats.collapsed(a), "code2": formats.collapsed(b)}
