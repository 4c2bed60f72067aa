"""Messages → text → tokens, with the tokenizer's own chat template."""

import hashlib
from dataclasses import dataclass
from typing import Any

from mtpeft.core.errors import MtpeftError
from mtpeft.core.text import first_line
from mtpeft.corpora.examples import Example
from mtpeft.tasks.interface import Message, task_module
from mtpeft.tasks.wording import Wording

# The study's translation inference replaced the tokenizer's template by a plain one of this form;
# the blank at its end is a token of its own.
HUMAN_ASSISTANT = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] + '\n\n' }}"
    "{% elif m['role'] == 'user' %}{{ 'Human: ' + m['content'] + '\n\n' }}"
    "{% else %}{{ 'Assistant: ' + m['content'] + '\n\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}"
)


@dataclass(frozen=True)
class Rendered:
    """A training example as tokens.

    Attributes:
        tokens: The whole conversation, the answer's end mark included.
        prompt: How many of them come before the answer.
    """

    tokens: list[int]
    prompt: int


def prompt_text(messages: list[Message], tokenizer: Any, template: str | None = None) -> str:
    """The prompt of system and user messages, ready for the answer.

    Args:
        messages: The messages.
        tokenizer: Of the base model.
        template: A chat template in place of the tokenizer's own.

    Raises:
        MtpeftError: There is no template, or it refuses the messages.
    """
    return _conversation(messages, tokenizer, template, asks=True)


def _conversation(
    messages: list[Message], tokenizer: Any, template: str | None = None, *, asks: bool
) -> str:
    """Messages as text, with the header of an answer where one is asked for."""
    from jinja2 import TemplateError

    if template is None and not tokenizer.chat_template:
        raise MtpeftError(
            f"the tokenizer of {tokenizer.name_or_path} has no chat template",
            "an instruction-tuned tokenizer",
            "use the backbone's own tokenizer",
        )
    try:
        text: str = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=asks, chat_template=template
        )
    except TemplateError as error:
        roles = ", ".join(message["role"] for message in messages)
        raise MtpeftError(
            f"the chat template of {tokenizer.name_or_path} refuses messages of {roles}: "
            f"{first_line(error)}",
            "a template for a system message and a question",
            "use the backbone's own tokenizer",
        ) from error
    return text


def rendered_prompt(
    example: Example, tokenizer: Any, wording: Wording, template: str | None = None
) -> str:
    """The prompt of an example as text.

    Args:
        example: The example.
        tokenizer: Of the base model.
        wording: The words of the prompts.
        template: A chat template in place of the tokenizer's own.
    """
    return prompt_text(task_module(example.task).messages(example, wording), tokenizer, template)


def render(example: Example, tokenizer: Any, wording: Wording, *, joined: bool = False) -> Rendered:
    """A training example as tokens of the whole conversation, and where the answer begins.

    The prompt with the template's generation header must be the beginning of the conversation:
    otherwise what is trained is not what is asked at inference.

    Args:
        example: The example.
        tokenizer: Of the base model.
        wording: The words of the prompts.
        joined: Tokenize the conversation in one go and append the end token, as the study's library
            did; a token may then span prompt and answer, and `prompt` is exact only where none
            does.

    Raises:
        MtpeftError: The template breaks that rule, or there is no end token to append.
    """
    module = task_module(example.task)
    messages = module.messages(example, wording)
    answer = {"role": "assistant", "content": module.target(example, wording)}
    whole = _conversation([*messages, answer], tokenizer, asks=False)
    prompt = prompt_text(messages, tokenizer)
    if not whole.startswith(prompt):
        raise MtpeftError(
            "the chat template renders a prompt that is not the beginning of the conversation",
            "a template whose generation prompt is a prefix",
            "use the backbone's own tokenizer",
        )
    if joined:
        if tokenizer.eos_token_id is None:
            raise MtpeftError(
                f"the tokenizer of {tokenizer.name_or_path} has no end token",
                "one, which the study's layout appends to each example",
                "--set packing=isolated",
            )
        tokens = tokenizer(whole, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        return Rendered(tokens, len(tokenizer(prompt, add_special_tokens=False)["input_ids"]))
    # Tokenized apart, so that no token spans prompt and answer and training sees the tokens of
    # inference.
    head = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    tail = tokenizer(whole[len(prompt) :], add_special_tokens=False)["input_ids"]
    return Rendered(head + tail, len(head))


def prompt_sha256(text: str) -> str:
    """Hex SHA-256 of a prompt's UTF-8 text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
