"""`mtpeft data`: bring everything here that a set of tasks needs, and say what is missing and how
to get it.
"""

from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.corpora import hub
from mtpeft.corpora.derived import built
from mtpeft.corpora.fetch import fetch
from mtpeft.corpora.manifest import manifest


def run(groups: list[str], jobs: int = 4) -> int:
    """Fetch and build what is not here yet, and print what is missing.

    Args:
        groups: The groups of the manifest; empty: all.
        jobs: Downloads at a time.

    Returns:
        The exit code: 0 where everything is there, else 1.

    Raises:
        UnknownName: The manifest has no such group.
    """
    m = manifest()
    known = {entry.group for table in (m.files, m.hub, m.derived) for entry in table.values()}
    for group in groups:
        if group not in known:
            raise UnknownName("group", group, known)
    chosen = set(groups) or known
    problems = fetch([f for f in m.files.values() if f.group in chosen], jobs=jobs, show=True)
    for name, entry in m.derived.items():
        if entry.group in chosen and not set(entry.inputs) & problems.keys():
            try:
                built(name)
            except (MtpeftError, ImportError) as error:
                problems[name] = (
                    error
                    if isinstance(error, MtpeftError)
                    else MtpeftError(
                        f"{name} needs the group `train`: {error}", "", "make .venv/.train"
                    )
                )
    # What derived files are built from has come with them.
    built_from = {name for entry in m.derived.values() for name in entry.inputs}
    whole = {
        name: entry
        for name, entry in m.hub.items()
        if entry.group in chosen and name not in built_from
    }
    for name, dataset in whole.items():
        try:
            for split in dataset.rows:
                next(hub.rows(dataset, split))
        except (MtpeftError, ImportError) as error:
            problems[name] = (
                error
                if isinstance(error, MtpeftError)
                else MtpeftError(
                    f"{name} needs the group `train`: {error}", "", "make .venv/.train"
                )
            )
    total = len(whole) + sum(
        entry.group in chosen for table in (m.files, m.derived) for entry in table.values()
    )
    for name, problem in problems.items():
        print(f"missing: {name}\n  {problem}".replace("\n", "\n  "))
    print(
        f"data: {total - len(problems)} of {total} entries are here and verified"
        + (f"; {len(problems)} missing (listed above)" if problems else "")
    )
    return 1 if problems else 0
