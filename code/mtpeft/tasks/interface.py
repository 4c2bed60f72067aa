"""What every task module offers, and how it is found."""

import importlib
import inspect
from typing import Protocol, cast

from mtpeft.catalog import catalog
from mtpeft.core.errors import MtpeftError
from mtpeft.corpora.examples import Example
from mtpeft.tasks.answer import Answer
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

        It may take `language` and `asked` as further parameters (see `answer_of`), and return an
        `Answer`, which names the rule that cut it.

        Args:
            raw: What the model wrote.
            faithful: Cut as the study cut, quirks included.
        """
        ...


def answer_of(module: TaskModule, raw: str, faithful: bool, example: Example) -> Answer:
    """The answer in what a model wrote, with the rule that cut it.

    A task whose `answer` has a parameter `language` is told the language of the code that was
    wanted; one with `asked` the name that its function `asked(example)` finds.

    Args:
        module: The task's.
        raw: What the model wrote.
        faithful: Cut as the study cut, quirks included.
        example: What the model was asked.
    """
    takes, more = inspect.signature(module.answer).parameters, {}
    if "language" in takes:
        more["language"] = example.language
    if "asked" in takes and (asked := getattr(module, "asked", None)):
        more["asked"] = asked(example)
    answer = module.answer(raw, faithful, **more)
    rule = "study" if faithful else "task"
    return answer if isinstance(answer, Answer) else Answer(answer, rule)


def example_of(task: str, language: str, source_language: str, text: str) -> Example:
    """What a person typed, as an example of a task: the code that is shown, or what the task's
    function `given(text)` makes of it.

    Args:
        task: The task.
        language: Of the code that is written or described.
        source_language: Of the code that is shown, where it differs.
        text: What the person typed.
    """
    given = getattr(task_module(task), "given", None)
    inputs = given(text) if given else {"code": text}
    return Example("typed", task, language, inputs, source_language=source_language)


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
