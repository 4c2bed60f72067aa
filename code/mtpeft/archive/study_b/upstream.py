"""The two public repositories at their pinned commits, and which of their files hold figures."""

from dataclasses import dataclass
from pathlib import Path

from mtpeft.core.errors import BadInput


@dataclass(frozen=True)
class Upstream:
    """A public repository. folders: what of it the importer reads (files or folders)."""

    repository: str
    commit: str
    folders: tuple[str, ...]
    left_out: dict[str, str]


MULTITASK = Upstream(
    "Amal-AK/Multitask-finetune-",
    "cc8dd1abb007e99497500f6ddf2743c62bdd487d",
    ("logs", "old_logs", "Plots.ipynb", "mft_results_table.tex"),
    {
        "logs/pairwise/session.log": "repeats other logs",
        "logs/pairwise/session_cf.log": "repeats other logs",
        "logs/pairwise/session_cv.log": "repeats other logs",
        "logs/pairwise/session_fs.log": "repeats other logs",
        "logs/pairwise/session_vs.log": "repeats other logs",
        "logs/single_task/session.log": "repeats other logs",
        "old_logs/final_logs/MTL_4tasks.log": "ends before any evaluation",
        "old_logs/code_completion_qwenbase_lora_humeneval.log": "another task",
    },
)
"""The study. left_out: logs without figures of their own, and why."""

SINGLE = Upstream(
    "Amal-AK/Adapter-finetune",
    "e4ee544e8665f837d23a3eb0972857305c16429d",
    ("baselines",),
    {},
)
"""The sibling study of single tasks by the same authors."""


def files_of(upstream: Upstream, root: Path) -> list[str]:
    """Every file of the folders that are read, as upstream names it, sorted."""
    found: set[str] = set()
    for name in upstream.folders:
        top = root / name
        paths = [p for p in top.rglob("*") if p.is_file()] if top.is_dir() else [top]
        found |= {p.relative_to(root).as_posix().removesuffix(".gz") for p in paths}
    if not any((root / f).is_file() or (root / f"{f}.gz").is_file() for f in found):
        raise BadInput(
            root,
            "none of the study's files",
            f"{', '.join(upstream.folders)} of {upstream.repository} at {upstream.commit[:7]}",
            "restore the mirror, or unset MTPEFT_MIRROR to fetch them from their own host",
        )
    return sorted(found)


def logs_of(upstream: Upstream, root: Path) -> list[str]:
    """The training logs that hold figures of their own, sorted."""
    return [
        f
        for f in files_of(upstream, root)
        if f.endswith(".log") and f not in upstream.left_out and f.count("/") >= _depth(f)
    ]


def _depth(file: str) -> int:
    """Logs directly below `logs/` are of prompted models; below the others they train."""
    return 2 if file.startswith(("logs/", "old_logs/")) else 1
