"""Fixtures of all tiers. Nothing that a test runs may write into results/regenerated of the working
tree.
"""

import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# Paths are read once, at import: these must be set before any test module imports the package.
for name in ("MTPEFT_CATALOG", "MTPEFT_ROOT"):
    os.environ.pop(name, None)
_OUT = tempfile.mkdtemp(prefix="mtpeft-tests-")
os.environ.update(MTPEFT_OUT=_OUT, LC_ALL="C.UTF-8", TZ="UTC", PYTHONDONTWRITEBYTECODE="1")
# Where none is set, as in a bare `pytest`, the command line would start this very process again.
os.environ.setdefault("PYTHONHASHSEED", "0")

# The same examples in every run, and no verdict that depends on how busy the machine is.
settings.register_profile("mtpeft", deadline=None, derandomize=True, database=None, max_examples=40)
settings.load_profile("mtpeft")

ROOT = Path(__file__).resolve().parents[1]


WHOLE_MODULE = re.compile(
    r'^(?:pytest\.importorskip\("torch"|if importlib\.util\.find_spec\("torch"\) is None)',
    re.MULTILINE,
)
"""How a test module says that it cannot even be imported without the training group."""
ONE_TEST = re.compile(
    r'importorskip\("(?:torch|torchjd|transformers|datasets|safetensors|submitit|bert_score|mtpeft\.)'
)
"""How a single test says so. Of a fixture that does, the tests carry the mark themselves."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the training group, so that `make test-train` is no list kept by hand.

    Marked are the tests of a module that is skipped as a whole without torch, those skipped one by
    one with the group named as the reason or by a call of theirs, and those that carry the mark.
    """
    whole: dict[Path, bool] = {}
    for item in items:
        if item.path not in whole:
            whole[item.path] = bool(WHOLE_MODULE.search(item.path.read_text(encoding="utf-8")))
        reasons = [str(mark.kwargs.get("reason", "")) for mark in item.iter_markers("skipif")]
        named = any("group `train`" in reason for reason in reasons)
        if whole[item.path] or named or ONE_TEST.search(inspect.getsource(item.function)):
            item.add_marker(pytest.mark.train)


def pytest_sessionfinish() -> None:
    shutil.rmtree(_OUT, ignore_errors=True)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def known():
    """The shipped catalog."""
    from mtpeft.catalog import catalog

    return catalog()


@pytest.fixture(scope="session")
def archived():
    """The archived scores, read once."""
    from mtpeft.catalog import catalog
    from mtpeft.catalog.places import score_roots
    from mtpeft.core.records import ScoreSet

    return ScoreSet.load(*score_roots(catalog()))


@pytest.fixture(scope="session")
def published():
    """Every printed value of every study."""
    from mtpeft.catalog import catalog
    from mtpeft.catalog.places import statistics_files
    from mtpeft.core.records import PublishedCell, read_records

    files = statistics_files(catalog())
    return [cell for path in files for cell in read_records(path, PublishedCell)]


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The mirror of upstream files; tests that need it are skipped, and say so, where there is
    none.
    """
    value = os.environ.get("MTPEFT_MIRROR")
    if not value:
        pytest.skip("MTPEFT_MIRROR is not set: the upstream files are not here")
    return Path(value)


@pytest.fixture
def mtpeft(tmp_path):
    """Run the command line in a process of its own: `mtpeft("list", "tasks", MTPEFT_OUT=…)` →
    CompletedProcess.
    """

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mtpeft", *arguments],
            cwd=ROOT,
            text=True,
            capture_output=True,
            env=os.environ | {"MTPEFT_OUT": str(tmp_path / "out")} | environment,
            timeout=300,
        )

    return run
