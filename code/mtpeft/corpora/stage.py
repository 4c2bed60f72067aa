"""`mtpeft data`: bring everything here that a set of tasks needs, and say what is missing and how
to get it.
"""

from collections.abc import Callable
from functools import partial

from mtpeft.catalog import catalog
from mtpeft.core.errors import MtpeftError, UnknownName, Unwritable
from mtpeft.corpora import hub
from mtpeft.corpora.derived import built
from mtpeft.corpora.fetch import fetch
from mtpeft.corpora.manifest import Derived, File, HubDataset, Weights, Wheel, manifest
from mtpeft.corpora.published import published


def run(groups: list[str], jobs: int = 4) -> int:
    """Fetch and build what is not here yet, and print what is missing.

    Args:
        groups: The groups of the manifest; empty: all.
        jobs: Downloads at a time.

    Returns:
        The exit code: 0 where everything is there, else 1.

    Raises:
        UnknownName: The manifest has no such group.
        Unwritable: The cache takes no files.
    """
    m = manifest()
    known = {entry.group for entry in m.entries.values()}
    for group in groups:
        if group not in known:
            raise UnknownName("group", group, known)
    chosen = set(groups) or known
    files: dict[str, File | Wheel] = {**m.files, **m.wheels}
    problems = fetch([f for f in files.values() if f.group in chosen], jobs=jobs, show=True)

    def attempt(name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except Unwritable:
            raise
        except MtpeftError as error:
            problems[name] = error
        except ImportError as error:
            problems[name] = MtpeftError(
                f"{name} needs the group `train`: {error}", "", "make .venv/.train"
            )

    makers = {
        **{name: partial(built, name) for name in m.derived},
        **{b.weights: partial(published, b) for b in catalog().backbones.values() if b.weights},
    }
    made: dict[str, Derived | Weights] = {**m.derived, **m.weights}
    for name, entry in made.items():
        if entry.group in chosen and not set(entry.inputs) & problems.keys():
            attempt(name, makers[name])
    # What derived files are built from has come with them.
    built_from = {name for entry in m.derived.values() for name in entry.inputs}
    whole = {
        name: entry
        for name, entry in m.hub.items()
        if entry.group in chosen and name not in built_from
    }
    for name, dataset in whole.items():
        attempt(name, partial(_first_rows, dataset))
    total = len(whole) + sum(
        entry.group in chosen for name, entry in m.entries.items() if name not in m.hub
    )
    for name, problem in problems.items():
        print(f"missing: {name}\n  {problem}".replace("\n", "\n  "))
    print(
        f"data: {total - len(problems)} of {total} entries are here and verified"
        + (f"; {len(problems)} missing (listed above)" if problems else "")
    )
    return 1 if problems else 0


def _first_rows(dataset: HubDataset) -> None:
    for split in dataset.rows:
        next(hub.rows(dataset, split))
