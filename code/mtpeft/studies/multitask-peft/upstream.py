"""The two public repositories at their pinned commits, and which of their files hold figures."""

from pathlib import Path

from mtpeft.core.errors import BadInput
from mtpeft.core.upstream import Upstream

MULTITASK = Upstream(
    "Amal-AK/Multitask-finetune-",
    "cc8dd1abb007e99497500f6ddf2743c62bdd487d",
    ("logs", "old_logs", "Plots.ipynb", "mft_results_table.tex"),
)
"""The study."""

SINGLE = Upstream(
    "Amal-AK/Adapter-finetune",
    "e4ee544e8665f837d23a3eb0972857305c16429d",
    ("baselines",),
)
"""The sibling study of single tasks by the same authors."""

LEFT_OUT = {
    "logs/pairwise/session.log": "repeats other logs",
    "logs/pairwise/session_cf.log": "repeats other logs",
    "logs/pairwise/session_cv.log": "repeats other logs",
    "logs/pairwise/session_fs.log": "repeats other logs",
    "logs/pairwise/session_vs.log": "repeats other logs",
    "logs/single_task/session.log": "repeats other logs",
    "old_logs/final_logs/MTL_4tasks.log": "ends before any evaluation",
    "old_logs/code_completion_qwenbase_lora_humeneval.log": "is of another task",
}
"""Logs without figures of their own, and why. They are pinned like the others."""


def files_of(upstream: Upstream, root: Path) -> list[str]:
    """The logs and typed tables of a checkout, as upstream names them, sorted.

    Raises:
        BadInput: There is none.
    """
    found: set[str] = set()
    for name in upstream.folders:
        for path in (root / name).rglob("*.log*"):
            found.add(path.relative_to(root).as_posix().removesuffix(".gz"))
        if (root / name).is_file() or (root / f"{name}.gz").is_file():
            found.add(name)
    files = sorted(f for f in found if f.endswith(".log") or f in upstream.folders)
    if not files:
        raise BadInput(
            root,
            "none of the study's files",
            f"{', '.join(upstream.folders)} of {upstream.repository} at {upstream.commit[:7]}",
            "restore the mirror, or unset MTPEFT_MIRROR to fetch them from their own host",
        )
    return files


def logs_of(upstream: Upstream, root: Path) -> list[str]:
    """The training logs that hold figures of their own, sorted."""
    return [
        f
        for f in files_of(upstream, root)
        if f.endswith(".log") and f not in LEFT_OUT and not _prompts(f)
    ]


def _prompts(file: str) -> bool:
    """Logs directly below `logs/` are of prompted models."""
    return file.startswith("logs/") and file.count("/") == 1
