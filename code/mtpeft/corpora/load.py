"""The examples of a task, by corpus and split."""

from importlib import import_module
from pathlib import Path
from typing import Any

from mtpeft.catalog import Corpus, catalog
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.corpora.analysis import from_folder
from mtpeft.corpora.examples import Example, read_examples

SPLITS = ("train", "valid", "test")


def load(corpus: str, task: str, split: str) -> list[Example]:
    """The examples of `task` in `split`, in a fixed order.

    Args:
        corpus: The name of a corpus that a study declares (`corpora:` in its study.yaml), `smoke`
            (data/smoke), `humaneval`, the path of a JSON-lines file of examples, a folder (see
            `analysis.from_folder`), or the dotted name of a module outside the package with
            `examples(task, split)`. Empty: that of the first study that has the task.
        task: Id of a task.
        split: `train`, `valid` or `test`.

    Raises:
        UnknownName: For other names.
        MtpeftError: For what cannot be had.
    """
    corpus = corpus or default_corpus(task)
    if corpus.endswith(".jsonl"):
        return [e for e in read_examples(Path(corpus)) if e.task == task]
    known = corpora()
    if named(corpus) not in known and Path(corpus).is_dir():
        return from_folder(Path(corpus), task, split)
    if split not in SPLITS:
        raise UnknownName("split", split, SPLITS)
    entry = known.get(corpus) or Corpus(corpus, "", corpus)
    return _from_module(entry.module, task, split, entry.options)


def named(corpus: str) -> str:
    """A corpus that can be looked for: the name of one, a folder, or the dotted name of a module.

    Raises:
        UnknownName: It is none of them.
    """
    known = corpora()
    if corpus not in known and "." not in corpus and not Path(corpus).is_dir():
        raise UnknownName("corpus", corpus, known, "mtpeft list studies")
    return corpus


def corpora() -> dict[str, Corpus]:
    """Every corpus that has a name: those of the studies, and the project's own for tests."""
    smoke = Corpus("smoke", "tiny sets written for this project", "mtpeft.corpora.smoke")
    humaneval = Corpus("humaneval", "HumanEval, with its tests", "mtpeft.corpora.humaneval")
    return {**catalog().corpora(), "smoke": smoke, "humaneval": humaneval}


def default_corpus(task: str) -> str:
    """The corpus of the first study that has a task.

    Raises:
        MtpeftError: No study has one.
    """
    study = catalog().study_of_task(task)
    if study is None or not study.corpora:
        raise MtpeftError(
            f"no study says where the examples of {task} are",
            "a corpus, a folder, a JSON-lines file, or a module with examples(task, split)",
            "--corpus NAME",
        )
    return study.corpora[0].id


def _from_module(module: str, task: str, split: str, options: dict[str, Any]) -> list[Example]:
    try:
        examples: list[Example] = import_module(module).examples(task, split, **options)
        return examples
    except ImportError as error:
        raise MtpeftError(
            f"corpus {module} cannot be imported: {error}",
            "a module with examples(task, split)",
            "name its folder in PYTHONPATH",
        ) from error


def evaluation_of(task: str, corpus: str) -> str:
    """The evaluation set that a task's test split is in a corpus: the one that the corpus names,
    else the task's first.
    """
    known: list[str] = [e.id for e in catalog().get("tasks", task).evaluations] or [task]
    entry = corpora().get(corpus)
    return entry.evaluations.get(task, known[0]) if entry else known[0]


def evaluation(name: str, corpus: str = "", split: str = "test") -> list[Example]:
    """The instances of one evaluation set, in the order of the study's rows.

    Args:
        name: The evaluation set, for example `translation-cs-java`.
        corpus: As in `load`; an evaluation set that names a corpus of its own comes from that.
        split: As in `load`.
    """
    task = catalog().task_of(name)
    wanted = next(e for e in task.evaluations if e.id == name)
    return [
        e
        for e in load(wanted.corpus or corpus, task.id, split)
        if e.language == wanted.language
        and (not wanted.source_language or e.source_language == wanted.source_language)
    ]
