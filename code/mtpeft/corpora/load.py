"""The examples of a task, by corpus and split."""

from importlib import import_module
from pathlib import Path

from mtpeft.catalog import catalog
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.corpora import smoke, study_b
from mtpeft.corpora.derived import built
from mtpeft.corpora.examples import Example, read_examples

CORPORA = ("study-a", "study-b", "study-b-cloze", "study-b-cosqa", "study-b-own", "smoke")
SPLITS = ("train", "valid", "test")


def load(corpus: str, task: str, split: str) -> list[Example]:
    """The examples of `task` in `split`, in a fixed order.

    corpus: `study-a`, `study-b` (files of the manifest, brought here if need be; `study-b-cloze`
    takes the cloze set for AdvTest, `study-b-cosqa` is search alone, `study-b-own` the project's
    tiny sets), `smoke` (data/smoke), the path of a JSON-lines file of examples, a folder (see
    `study_b.from_folder`), or the dotted name of a module outside the package with `examples(task,
    split)`. Raises `UnknownName` for other names, `MtpeftError` for what cannot be had.
    """
    if corpus.endswith(".jsonl"):
        return [e for e in read_examples(Path(corpus)) if e.task == task]
    if corpus not in CORPORA and Path(corpus).is_dir():
        return study_b.from_folder(Path(corpus), task, split)
    if corpus not in CORPORA and "." not in corpus:
        raise UnknownName("corpus", corpus, CORPORA)
    if split not in SPLITS:
        raise UnknownName("split", split, SPLITS)
    if "." in corpus:
        return _from_outside(corpus, task, split)
    if corpus.startswith("study-b"):
        source = corpus.removeprefix("study-b").lstrip("-") or "study"
        return study_b.examples(
            task, split, "study" if source == "cloze" and task != "code-search" else source
        )
    if corpus == "smoke":
        return smoke.examples(task, split)
    return read_examples(built(f"{task}/{'evaluation' if split == 'test' else split}"))


def _from_outside(module: str, task: str, split: str) -> list[Example]:
    try:
        found: list[Example] = import_module(module).examples(task, split)
        return found
    except ImportError as error:
        raise MtpeftError(
            f"corpus {module} cannot be imported: {error}",
            "a module with examples(task, split)",
            "name its folder in PYTHONPATH",
        ) from error


def evaluation_of(task: str, corpus: str) -> str:
    """The evaluation set that a task's test split is in a corpus: `<task>-<source>` of
    `study-b-<source>`, else the first.
    """
    known = [e.id for e in catalog().get("tasks", task).evaluations] or [task]
    named = f"{task}-{corpus.removeprefix('study-b-')}"
    return named if named in known else known[0]


def evaluation(name: str, corpus: str = "study-a", split: str = "test") -> list[Example]:
    """The instances of one evaluation set (for example `translation-cs-java`), in the order of the
    study's rows.
    """
    task = catalog().task_of(name)
    wanted = next(e for e in task.evaluations if e.id == name)
    return [
        e
        for e in load(corpus, task.id, split)
        if e.language == wanted.language
        and (not wanted.source_language or e.source_language == wanted.source_language)
    ]
