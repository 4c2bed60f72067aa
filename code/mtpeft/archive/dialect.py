"""A study's dialect: the one module that knows how its upstream files name things.

`dialect.py` lies in the study's folder, beside modules that it may import as `.NAME`. The folder
need not be part of the package: a study from outside is read the same way.
"""

import importlib.util
import re
import sys
from pathlib import Path
from typing import Protocol, cast

from mtpeft.catalog import Study
from mtpeft.core.errors import BadInput
from mtpeft.core.figures import Figures
from mtpeft.core.upstream import Upstream

FILE = "dialect.py"


class Dialect(Protocol):
    """What the module of a study with figures offers.

    Attributes:
        UPSTREAM: The repositories that its figures come from.
    """

    UPSTREAM: tuple[Upstream, ...]

    def read_figures(self, roots: dict[str, Path]) -> Figures:
        """Every figure of the study.

        Args:
            roots: Checkout of each repository of `UPSTREAM`.

        Raises:
            BadInput: What is unknown, repeated or contradictory, with file and line.
        """
        ...


def has_dialect(study: Study) -> bool:
    """Whether the study's folder holds a dialect."""
    return (study.folder / FILE).is_file()


def dialect_of(study: Study) -> Dialect:
    """Load the dialect of a study, each folder once.

    Raises:
        BadInput: It has none, or the module does not offer what a dialect must.
    """
    path = study.folder / FILE
    if not path.is_file():
        raise BadInput(
            path, "no such file", "how the study's upstream files are read", "mtpeft study check"
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
                "mtpeft study check",
            ) from error
    module = sys.modules[name]
    if missing := [part for part in ("UPSTREAM", "read_figures") if not hasattr(module, part)]:
        raise BadInput(
            path, f"no {', '.join(missing)}", "UPSTREAM and read_figures", "mtpeft study check"
        )
    return cast("Dialect", module)
