"""One module per task: how an example becomes prompt and target, how raw output becomes an answer.

A module offers `messages(example, wording)`, `target(example, wording)` and `answer(raw,
faithful)`; its name stands in catalog/tasks/*.yaml. `rendering` turns messages into tokens with the
tokenizer's own chat template.
"""

from mtpeft.tasks.answer import Answer
from mtpeft.tasks.interface import Message, TaskModule, answer_of, example_of, task_module
from mtpeft.tasks.rendering import Rendered, prompt_text, render, rendered_prompt
from mtpeft.tasks.wording import Wording, wording

__all__ = [
    "Answer",
    "Message",
    "Rendered",
    "TaskModule",
    "Wording",
    "answer_of",
    "example_of",
    "prompt_text",
    "render",
    "rendered_prompt",
    "task_module",
    "wording",
]
