"""The studies: a folder of data each, and modules of their own for what data cannot say.

A study's folder holds `study.yaml`, `runs/`, `comparisons/`, `tables/`, `figures/` and `claims/`
(see `mtpeft.catalog`). The folder may also hold `dialect.py`, which knows how upstream's files name
things, and modules with rules of claims, tables and figures; each may import the others as
`.NAME`. The folder need not be part of the package.
"""

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mtpeft.catalog import Catalog, Claim, Figure, Study, Table
from mtpeft.core.errors import BadInput

__all__ = ["FILE", "dialect", "has_dialect", "own_part"]

FILE = "dialect.py"


def has_dialect(study: Study) -> bool:
    """Whether the study's folder holds a dialect."""
    return (study.folder / FILE).is_file()


def dialect(study: Study, *needed: str) -> ModuleType:
    """Load the module that knows how the files of a study name things, each folder once.

    Args:
        study: The study.
        needed: What the module must offer.

    Raises:
        BadInput: It has none, it cannot be loaded, or it lacks something.
    """
    path, fix = study.folder / FILE, f"mtpeft study check {study.id}"
    if not path.is_file():
        raise BadInput(path, "no such file", "how the study's upstream files are read", fix)
    try:
        module = _load(study.folder, path.stem)
    except Exception as error:
        found = f"cannot be loaded: {type(error).__name__}: {error}"
        raise BadInput(path, found, "a Python module", fix) from error
    if missing := [part for part in needed if not hasattr(module, part)]:
        raise BadInput(path, f"no {', '.join(missing)}", " and ".join(needed), fix)
    return module


def own_part(item: Table | Figure | Claim, known: Catalog) -> Callable[..., Any]:
    """The function that a dotted `kind` names.

    Args:
        item: A table or figure whose kind is a module with `build` or `draw`, or a claim whose
            kind is `MODULE.FUNCTION`. The module is `MODULE.py` next to the study's `study.yaml`,
            else an installed one.
        known: The catalog that the item stands in.

    Raises:
        BadInput: The module cannot be loaded or has no such function; with the item's file and line.
    """
    if isinstance(item, Claim):
        kind = "claims"
        name, _, function = item.kind.rpartition(".")
    else:
        kind, function = ("tables", "build") if isinstance(item, Table) else ("figures", "draw")
        name = item.kind
    folder = known.studies[item.study].folder
    fix = f"mtpeft study check {item.study}"
    try:
        if (folder / Path(*name.split("."))).with_suffix(".py").is_file():
            module = _load(folder, name)
        else:
            module = importlib.import_module(name)
    except Exception as error:
        found = f"module {name} cannot be loaded: {type(error).__name__}: {error}"
        expected = f"{name.replace('.', '/')}.py in {folder}, or an installed module"
        raise known.bad(kind, item.id, item.kind, found, expected, fix) from error
    part = getattr(module, function, None)
    if not callable(part):
        found, expected = f"module {name} has no function {function}", f"def {function}(…)"
        raise known.bad(kind, item.id, item.kind, found, expected, fix)
    made: Callable[..., Any] = part
    return made


def _load(folder: Path, name: str) -> ModuleType:
    """Import a module of a folder that need not be on the path, as part of a package of its own."""
    package = "mtpeft_study_" + re.sub(r"\W", "_", str(folder.resolve()))
    if package not in sys.modules:
        sys.modules[package] = ModuleType(package)
        sys.modules[package].__path__ = [str(folder)]
    importlib.invalidate_caches()
    return importlib.import_module(f"{package}.{name}")
