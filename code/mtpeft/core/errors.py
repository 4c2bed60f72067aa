"""Errors that a person can act on: what was found, what was expected, the command that fixes it.

Every error that the package raises on purpose derives from `MtpeftError`; the command line prints
it without a traceback and ends with its exit code.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any


class MtpeftError(Exception):
    """Base of all user-facing errors.

    Args:
        found: What the program met.
        expected: What it needed.
        fix: A command or action that repairs it.
    """

    exit_code = 2

    def __init__(self, found: str, expected: str = "", fix: str = "") -> None:
        self.found, self.expected, self.fix = found, expected, fix
        lines = [found]
        if expected:
            lines.append(f"  expected: {expected}")
        if fix:
            lines.append(f"  to fix:   {fix}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel whole between processes: by what it holds, not through `__init__`."""
        return _arrived, (type(self), self.args, self.__dict__)


def _arrived(
    kind: type[MtpeftError], arguments: tuple[Any, ...], state: dict[str, Any]
) -> MtpeftError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(state)
    return error


class Unwritable(MtpeftError):
    """A place where results or the cache shall lie takes no files."""


class BadInput(MtpeftError):
    """A file that a person or an earlier stage supplied is malformed.

    Args:
        path: The file.
        line: 1-based line in it, where one line can be blamed.
    """

    def __init__(
        self,
        path: Path | str,
        found: str,
        expected: str = "",
        fix: str = "",
        line: int | None = None,
    ) -> None:
        self.path, self.line = Path(path), line
        place = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{place}: {found}", expected, fix)


# Import names of what the optional groups of the environment hold and a command may miss
# (pyproject.toml).
GROUPS = {
    "train": {
        "accelerate",
        "bitsandbytes",
        "datasets",
        "fastapi",
        "gguf",
        "huggingface_hub",
        "peft",
        "safetensors",
        "submitit",
        "tensorboard",
        "tokenizers",
        "torch",
        "transformers",
        "trl",
        "uvicorn",
    },
    "core": {"bm25s", "httpcore", "matplotlib", "pandas", "rpy2", "yaml"},
    "score": {
        "codebleu",
        "lizard",
        "nltk",
        "pylint",
        "rouge_score",
        "sacrebleu",
        "tree_sitter",
    },
}


def missing_package(error: ModuleNotFoundError) -> MtpeftError | None:
    """The error as a person needs it, where the missing module belongs to a group; None for any
    other module.
    """
    name = (error.name or "").partition(".")[0]
    group = next((group for group, names in GROUPS.items() if name in names), None)
    if group is None:
        return None
    return Unavailable(
        f"{name} is not installed", f"the packages of group {group}", f"make .venv/.{group}"
    )


class UnknownName(MtpeftError):
    """A name that is not in the catalog; the message offers the nearest known ones, else the first
    few and their number.
    """

    FEW = 12

    def __init__(self, kind: str, name: str, known: Iterable[str], fix: str = "") -> None:
        known = sorted(known)
        near = get_close_matches(name, known, n=3, cutoff=0.4)
        more = f", … ({len(known)} in all)" if len(known) > self.FEW else ""
        expected = (
            f"did you mean {', '.join(near)}?"
            if near
            else f"one of {', '.join(known[: self.FEW]) or '(none)'}{more}"
        )
        super().__init__(f"unknown {kind} {name!r}", expected, fix)


class Unavailable(MtpeftError):
    """Something that this machine does not have; the caller turns it into the status `cannot run
    here`.
    """
