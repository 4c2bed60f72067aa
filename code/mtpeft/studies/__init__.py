"""The studies: a folder of data each, and one module that knows how its files name things.

A study's folder holds `study.yaml`, `runs/`, `comparisons/`, `tables/`, `figures/` and `claims/`
(see `mtpeft.catalog`), and where its upstream has names of its own, `dialect.py`.
"""

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

from mtpeft.catalog import Study
from mtpeft.core.errors import MtpeftError

__all__ = ["dialect"]


def dialect(study: Study) -> ModuleType:
    """The module that knows how the files of a study name things, from the study's own folder.

    Raises:
        MtpeftError: The study has none.
    """
    path = study.folder / "dialect.py"
    if not path.is_file():
        raise MtpeftError(
            f"{study.id} has no dialect.py",
            f"{path}, which says how its files name things",
            "copy that of a study of the package (mtpeft list studies)",
        )
    return _module(path, study.id)


@cache
def _module(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"mtpeft_dialect_{name.replace('-', '_')}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
