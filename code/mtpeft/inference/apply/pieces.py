"""Files that a person named → the pieces of code that a task reads, and what cannot be read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from mtpeft.catalog import Task
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.corpora import Example
from mtpeft.corpora.analysis.formats import collapsed
from mtpeft.corpora.functions import Function, called, functions, names, read_source, whole

MOST_PAIRS = 20_000
READS = {
    "clone_detection": ("code1", "code2"),
    "code_search": ("query", "code"),
    "generation": ("summary", "signature"),
}
"""The inputs of tasks whose module reads anything but `code`, by the module's last name."""


@dataclass
class Given:
    """What a person handed over.

    Attributes:
        pieces: What tasks read: each file as a whole, or the functions that were asked for.
        functions: The functions to search in: those asked for, else every one.
        errors: What could not be read, each file and function by itself.
        notes: What else is worth a word.
    """

    pieces: list[Function] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    errors: list[MtpeftError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(files: Sequence[Path], picked: Sequence[str], every: bool, language: str) -> Given:
    """The pieces of some files; what cannot be read is kept as an error.

    Args:
        files: Which.
        picked: Functions that are asked for, each of one of the files at least.
        every: Whether all functions are.
        language: Of all files; empty: by their suffixes.
    """
    given, present = Given(), list[str]()
    for path in dict.fromkeys(files):
        try:
            source = read_source(path, language)
            present += names(source)
            if picked or every:
                found, errors = functions(source, () if every else picked)
                given.errors += errors
                given.pieces += found
                given.functions += found
                continue
            piece = whole(source)
            given.pieces.append(piece)
            inner = functions(source)[0] if names(source) else [piece]
            given.functions += inner
            if len(inner) > 1:
                given.notes.append(
                    f"{path} is read as a whole and holds {len(inner)} functions; "
                    "--functions reads each by itself"
                )
        except BadInput as error:
            given.errors.append(error)
    for name in picked:
        if not any(called(known, name) for known in present):
            given.errors.append(
                UnknownName(
                    "function of the files", name, present, "mtpeft apply RUN FILE --functions"
                )
            )
    return given


def module_of(task: Task) -> str:
    """The last name of a task's module: tasks with one module are asked alike."""
    return task.module.rpartition(".")[2]


def unread(task: Task, error: KeyError) -> MtpeftError:
    """The error of a task whose module reads what no source file gives."""
    return MtpeftError(
        f"task {task.id} reads {error.args[0]}, which no source file gives",
        f"a task that reads {', '.join(READS.get(module_of(task), ('code',)))}",
        "--task with another one",
    )


def languages(task: Task) -> list[str]:
    """The languages of the code that a task's evaluation sets show."""
    return list(dict.fromkeys(e.source_language or e.language for e in task.evaluations))


@dataclass(frozen=True)
class Asked:
    """One question to a model.

    Attributes:
        example: As the task's module reads it.
        function: The piece of code that it is about.
        other: The second one of a pair.
    """

    example: Example
    function: Function
    other: Function | None = None


def questions(task: Task, given: Given, named: bool) -> tuple[list[Asked], str]:
    """What a task can be asked about the pieces, and why nothing where nothing.

    Args:
        task: A task without a query.
        given: The pieces.
        named: Whether a person named the task, which then reads other languages, too.

    Raises:
        MtpeftError: There are too many pairs.
    """
    known = languages(task)
    pieces = [p for p in given.pieces if named or p.language in known]
    if not pieces:
        found = ", ".join(sorted({p.language for p in given.pieces})) or "nothing"
        return [], f"it was made for {', '.join(known)}, and {found} was given"
    ways: dict[str, Callable[[Task, list[Function]], list[Asked]]] = {
        "clone_detection": _pairs,
        "generation": _stubs,
        "translation": _translations,
    }
    kind = module_of(task)
    asked = ways.get(kind, _alone)(task, pieces)
    why = {
        "clone_detection": "it needs two functions or files of one language",
        "generation": "it needs functions with documentation (docstring, /** or ///)",
    }.get(kind, f"it was made for {', '.join(known)}")
    return asked, "" if asked else why


def _example(
    task: Task, number: int, language: str, inputs: dict[str, str], source: str = ""
) -> Example:
    # No task is told the answer, and a label has to be one of two words.
    target = "0" if task.output in ("label", "ranking") else ""
    return Example(str(number), task.id, language, inputs, target, source)


def _code(task: Task, piece: Function) -> str:
    # The corpora of code analysis hold code without line breaks.
    return collapsed(piece.code) if task.output in ("label", "ranking") else piece.code


def _alone(task: Task, pieces: list[Function]) -> list[Asked]:
    return [
        Asked(_example(task, i, p.language, {"code": _code(task, p)}), p)
        for i, p in enumerate(pieces)
    ]


def _pairs(task: Task, pieces: list[Function]) -> list[Asked]:
    found = [(a, b) for a, b in combinations(pieces, 2) if a.language == b.language]
    if len(found) > MOST_PAIRS:
        raise MtpeftError(
            f"{len(pieces)} pieces of code make {len(found):,} pairs for {task.id}",
            f"at most {MOST_PAIRS:,}",
            "fewer files, or --function NAME for those that matter",
        )
    return [
        Asked(
            _example(task, i, a.language, {"code1": _code(task, a), "code2": _code(task, b)}), a, b
        )
        for i, (a, b) in enumerate(found)
    ]


def _stubs(task: Task, pieces: list[Function]) -> list[Asked]:
    return [
        Asked(_example(task, i, p.language, {"summary": p.doc, "signature": p.signature}), p)
        for i, p in enumerate(pieces)
        if p.doc and p.signature
    ]


def _translations(task: Task, pieces: list[Function]) -> list[Asked]:
    ways = [(e.source_language, e.language) for e in task.evaluations]
    found = [(p, to) for p in pieces for source, to in ways if source == p.language]
    return [
        Asked(_example(task, i, to, {"code": p.code}, p.language), p)
        for i, (p, to) in enumerate(found)
    ]


def searched(task: Task, given: Given, queries: Sequence[str]) -> list[Asked]:
    """Each function beside a query, every query at least once: an encoder reads both apart.

    Args:
        task: A task with a query.
        given: The pieces.
        queries: The texts.
    """
    number = max(len(queries), len(given.functions)) if given.functions else 0
    return [
        Asked(
            _example(
                task,
                i,
                (p := given.functions[i % len(given.functions)]).language,
                {"query": queries[i % len(queries)], "code": _code(task, p)},
            ),
            p,
        )
        for i in range(number)
    ]
