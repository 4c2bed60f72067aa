"""The studies: a folder of data each, and one module that knows how its files name things.

A study's folder holds `study.yaml`, `runs/`, `comparisons/`, `tables/`, `figures/` and `claims/`
(see `mtpeft.catalog`), and where its upstream has names of its own, `dialect.py`, with modules that
it may import as `.NAME`. The folder need not be part of the package.
"""

import importlib.util
import re
import sys
from types import ModuleType

from mtpeft.catalog import Study
from mtpeft.core.errors import BadInput

__all__ = ["FILE", "dialect", "has_dialect"]

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
    path = study.folder / FILE
    if not path.is_file():
        raise BadInput(
            path,
            "no such file",
            "how the study's upstream files are read",
            f"mtpeft study check {study.id}",
        )
    name = "mtpeft_study_" + re.sub(r"\W", "_", str(path.parent.resolve()))
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, path, submodule_search_locations=[str(path.parent)]
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise BadInput(
                path,
                f"cannot be loaded: {type(error).__name__}: {error}",
                "a Python module",
                f"mtpeft study check {study.id}",
            ) from error
    module = sys.modules[name]
    if missing := [part for part in needed if not hasattr(module, part)]:
        raise BadInput(
            path, f"no {', '.join(missing)}", " and ".join(needed), f"mtpeft study check {study.id}"
        )
    return module
