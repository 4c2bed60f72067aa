"""What every task module offers, and how it is found."""

import importlib
import inspect
from typing import Protocol, cast

from mtpeft.catalog import catalog
from mtpeft.core.errors import MtpeftError
from mtpeft.corpora.examples import Example
from mtpeft.tasks.wording import Wording

Message = dict[str, str]


class TaskModule(Protocol):
    """What the module of a task offers."""

    def messages(self, example: Example, wording: Wording) -> list[Message]:
        """System and user message of an example."""
        ...

    def target(self, example: Example, wording: Wording) -> str:
        """The assistant's message in training."""
        ...

    def answer(self, raw: str, faithful: bool) -> str:
        """The answer in what a model wrote.

        It may take `language` as a third parameter (see `answer_of`).

        Args:
            raw: What the model wrote.
            faithful: Cut as the study cut, quirks included.
        """
        ...


def answer_of(module: TaskModule, raw: str, faithful: bool, language: str) -> str:
    """The answer in what a model wrote, for a task whose `answer` may ask for the language of the
    code that was wanted.

    Args:
        module: The task's.
        raw: What the model wrote.
        faithful: Cut as the study cut, quirks included.
        language: Of the example.
    """
    if "language" in inspect.signature(module.answer).parameters:
        return str(module.answer(raw, faithful, language=language))  # type: ignore[call-arg]
    return module.answer(raw, faithful)


def task_module(task: str) -> TaskModule:
    """The module of a task of the catalog.

    Raises:
        MtpeftError: It lacks one of the three functions.
    """
    name = catalog().get("tasks", task).module
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MtpeftError(
            f"task {task} names module {name}, which cannot be imported: {error}",
            "a module with messages, target and answer",
            f"see catalog/tasks/{task}.yaml",
        ) from error
    missing = [
        f for f in ("messages", "target", "answer") if not callable(getattr(module, f, None))
    ]
    if missing:
        raise MtpeftError(
            f"module {name} of task {task} lacks {', '.join(missing)}",
            "messages, target and answer",
        )
    return cast(TaskModule, module)
