"""Zero-shot and few-shot prompting of instruction models, through any OpenAI-compatible server or
locally.

Greedy, ten new tokens, as in the study. Every answer is appended at once, so that a killed run
resumes; an answer that could not be obtained is recorded with its error and asked again next time. The
prediction's `output` is the strict reading (`1`, `0` or nothing); what other readings make of the
raw text is scoring's business.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mtpeft.catalog import catalog
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.http import Client, Clock, Limits, Refused, Secret, address
from mtpeft.core.locks import held
from mtpeft.core.parallel import side_by_side
from mtpeft.core.progress import Progress
from mtpeft.core.records import (
    Prediction,
    append_predictions,
    arrange_predictions,
    drop_predictions,
    resume_predictions,
)
from mtpeft.core.text import one_line
from mtpeft.corpora import Example
from mtpeft.inference.bm25 import Bm25
from mtpeft.inference.fitting import fitted
from mtpeft.models.device import stop_where_lost
from mtpeft.tasks import Answer, answer_of, task_module, wording
from mtpeft.tasks.rendering import prompt_text

T = TypeVar("T")
Asked = tuple[Prediction, Refused | None]
KEY = "OPENAI_API_KEY"
NEW_TOKENS = 10
POOL = 5000
"""Training examples that few-shot examples are searched in (the study's number)."""


class Chat(Protocol):
    """Answers one conversation greedily."""

    def answer(
        self, messages: list[dict[str, str]], new_tokens: int = NEW_TOKENS
    ) -> tuple[str, str]:
        """Answer one conversation.

        Args:
            messages: Its turns, with `role` and `content`.
            new_tokens: The most tokens of the answer.

        Returns:
            The text, and why it ended.

        Raises:
            MtpeftError: There is no answer to be had.
        """
        ...


class Endpoint:
    """An OpenAI-compatible server, asked through the package's one HTTP client.

    Args:
        base: Address up to and with /v1.
        model: Its name at the server.
        key: The environment variable that holds the key.
        limits: What the server may take; default: three attempts of a minute each.
        clock: Time between attempts.
        at_once: Connections at the same time, where `limits` says nothing.
    """

    def __init__(
        self,
        base: str,
        model: str,
        key: str = KEY,
        limits: Limits | None = None,
        clock: Clock | None = None,
        at_once: int = 1,
    ) -> None:
        secret = Secret.of(key)
        self._base, self._model = address(base, "--server", secret), model
        self._client = Client(
            secret,
            limits or Limits(attempts=3, seconds=60.0, body=64 << 20, connections=at_once),
            "the server",
            f"check --server, --model and {key}",
            clock,
        )

    def answer(
        self, messages: list[dict[str, str]], new_tokens: int = NEW_TOKENS
    ) -> tuple[str, str]:
        """Greedy answer to one conversation.

        Raises:
            RequestFailed: The server gives none that can be read.
            Refused: The server refuses every request.
        """

        def read(reply: Any) -> tuple[str, str]:
            choice = reply["choices"][0]
            text = choice["message"]["content"]
            if text is not None and not isinstance(text, str):
                raise ValueError(f"the answer's text is a {type(text).__name__}")
            return text or "", str(choice.get("finish_reason") or "")

        payload = {"messages": messages, "temperature": 0, "max_tokens": new_tokens}
        return self._post("/chat/completions", payload, read)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, from the server's embeddings.

        Raises:
            RequestFailed: The server gives none that can be read.
            Refused: The server refuses every request.
        """
        found: list[list[float]] = []
        for start in range(0, len(texts), 64):
            some = list(texts[start : start + 64])

            def read(reply: Any, number: int = len(some)) -> list[list[float]]:
                rows = sorted(reply["data"], key=lambda row: row["index"])
                vectors = [[float(x) for x in row["embedding"]] for row in rows]
                if [row["index"] for row in rows] != list(range(number)):
                    raise ValueError(f"{len(rows)} vectors for {number} texts")
                if not all(vector and all(map(math.isfinite, vector)) for vector in vectors):
                    raise ValueError("a vector is empty or holds what is no finite number")
                return vectors

            found += self._post("/embeddings", {"input": some}, read)
        return found

    def _post(self, path: str, body: dict[str, Any], read: Callable[[Any], T]) -> T:
        return self._client.ask(self._base + path, {"model": self._model, **body}, read=read)


class Local:
    """A model on this machine, through transformers.

    Args:
        source: Folder of the model.
        dtype: Torch's name of the type of its weights; default: `backends.swift_dtype` (the study:
            float16).
        context: The most tokens of a prompt.
    """

    def __init__(self, source: str, dtype: str = "", context: int = 8192) -> None:
        from mtpeft.inference.backends import Transformers, swift_dtype

        dtype = dtype or swift_dtype()
        self._backend, self._context = Transformers(source, None, dtype, False), context

    def answer(
        self, messages: list[dict[str, str]], new_tokens: int = NEW_TOKENS
    ) -> tuple[str, str]:
        """Greedy answer to the conversation in the model's own chat template."""
        return self.answers([messages], new_tokens)[0]

    def answers(
        self, conversations: Sequence[list[dict[str, str]]], new_tokens: int = NEW_TOKENS
    ) -> list[tuple[str, str]]:
        """Greedy answers to several conversations at a time, each as `answer` gives it."""
        texts = [self._rendered(self.fitted(c, new_tokens)[0]) for c in conversations]
        made = self._backend.answers(texts, new_tokens, 0)
        return [(one.text, one.finish_reason) for one in made]

    def fitted(
        self, messages: list[dict[str, str]], new_tokens: int = NEW_TOKENS
    ) -> tuple[list[dict[str, str]], str]:
        """The conversation as far as the model can read it, and what was cut off."""
        positions = getattr(self._backend.model.config, "max_position_embeddings", None)
        limit = min(self._context, (positions or self._context + new_tokens) - new_tokens)
        return fitted(messages, self._length, limit)

    def _rendered(self, messages: list[dict[str, str]]) -> str:
        return prompt_text(messages, self._backend.tokenizer)

    def _length(self, messages: list[dict[str, str]]) -> int:
        text = self._rendered(messages)
        return len(self._backend.tokenizer(text, add_special_tokens=False)["input_ids"])

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Mean of the last hidden states of each text, as the study's script takes it from the same
        model.
        """
        import torch

        model, tokenizer, found = self._backend.model, self._backend.tokenizer, []
        for text in texts:
            inputs = tokenizer(
                text, return_tensors="pt", truncation=True, max_length=self._context
            ).to(model.device)
            with torch.inference_mode():
                states = model(**inputs, output_hidden_states=True).hidden_states[-1]
            found.append(states[0].float().mean(0).tolist())
        return found


def conversation(example: Example, shots: Sequence[Example] = ()) -> list[dict[str, str]]:
    """System message, solved examples as earlier turns, the question.

    Args:
        example: What is asked about.
        shots: The solved examples, in the order of the turns.
    """
    module, words = (
        import_module(catalog().get("tasks", example.task).module),
        wording("own", inference=True),
    )
    system, question = module.messages(example, words)
    turns = [
        turn
        for shot in shots
        for turn in (
            module.messages(shot, words)[1],
            {"role": "assistant", "content": module.target(shot, words)},
        )
    ]
    return [system, *turns, question]


def ask(
    examples: Sequence[Example],
    chat: Chat,
    path: Path,
    run: str,
    shots: int = 0,
    pool: Sequence[Example] = (),
    evaluation: str = "",
    at_once: int = 1,
) -> int:
    """Ask about every example that has no answer in a file yet.

    Args:
        examples: What is asked about.
        chat: Who answers.
        path: The file of predictions, which is continued.
        run: That the predictions name.
        shots: Solved examples a question, the nearest of `pool`; an example is never its own shot.
        pool: Where they come from: its first 5,000.
        evaluation: That the predictions name (default: the examples' task).
        at_once: As in `ask_each`.

    Returns:
        How many examples remain without an answer.

    Raises:
        BadInput: `path` holds a line that cannot be used, or answers of another run.
    """
    pool = list(pool)[:POOL]
    index = Bm25([" ".join(e.inputs.values()) for e in pool])

    def messages(example: Example) -> list[dict[str, str]]:
        near = index.nearest(" ".join(example.inputs.values()), shots + 1) if shots else []
        return conversation(
            example, [pool[i] for i in near if pool[i].id != example.id][-shots:] if shots else []
        )

    def read(example: Example, raw: str) -> Answer:
        return answer_of(task_module(example.task), raw, False, example)

    questions = [
        Question(evaluation or e.task, e.id, partial(messages, e), partial(read, e))
        for e in examples
    ]
    return ask_each(questions, chat, path, run, at_once=at_once)


@dataclass(frozen=True)
class Question:
    """One question, whatever its task.

    Attributes:
        task: The evaluation set that the prediction names.
        instance_id: The instance.
        messages: Makes the conversation when the question is due.
        read: The answer in a raw text; empty where there is none.
    """

    task: str
    instance_id: str
    messages: Callable[[], list[dict[str, str]]]
    read: Callable[[str], Answer]


def ask_each(
    questions: Sequence[Question],
    chat: Chat,
    path: Path,
    run: str,
    new_tokens: int = NEW_TOKENS,
    at_once: int = 1,
) -> int:
    """Ask what has no answer in `path` yet, and append each answer when it comes.

    What goes wrong with one question is recorded as that instance's error, and the next one
    follows. A server that refuses the very first question would refuse them all. Once every
    question was asked, the file has their order; before that, the order in which answers came.

    Args:
        questions: In their order.
        chat: Who answers.
        path: The file of predictions, which is continued.
        run: That the predictions name.
        new_tokens: The most tokens of an answer.
        at_once: How many questions are on their way to a server at any time, or make up a batch of
            a local model.

    Returns:
        How many questions remain without an answer.

    Raises:
        BadInput: `path` holds a line that cannot be used, or answers of another run.
        InUse: Another process writes `path`.
        Refused: The server refuses the key, the model or the address.
    """
    if not run.isprintable():
        raise MtpeftError(f"run {run!a}", "a name without control characters", "--model NAME")
    with held(path, wait=False):
        done, missing = _answered(path, run), 0
        answered, todo = bool(done), [q for q in questions if q.instance_id not in done]

        def found(todo: Iterator[Question]) -> Iterator[Asked]:
            while not answered and (first := next(todo, None)) is not None:
                yield _asked(first, chat, run, new_tokens)
            if isinstance(chat, Local):
                while some := list(islice(todo, at_once)):
                    yield from _together(some, chat, run, new_tokens)
            else:
                yield from side_by_side(lambda q: _asked(q, chat, run, new_tokens), todo, at_once)

        with Progress(f"infer {run}", len(todo)) as progress:
            for record, refusal in found(iter(todo)):
                append_predictions(path, [record])
                if refusal is not None and not answered:
                    raise refusal
                missing += bool(record.error)
                answered = answered or not record.error
                progress.step(record.instance_id)
        arrange_predictions(path, (q.instance_id for q in questions))
    return missing


def _together(
    some: Sequence["Question"], chat: Local, run: str, new_tokens: int
) -> Iterator[Asked]:
    """The records of questions that a local model answers in one batch; one by one where that
    fails, so that one bad question is one bad record.
    """
    start = time.monotonic()
    replies: Sequence[tuple[str, str] | None] = [None] * len(some)
    if len(some) > 1:
        try:
            replies = chat.answers([q.messages() for q in some], new_tokens)
        except Exception as error:
            stop_where_lost(error)
    each = (time.monotonic() - start) / len(some)
    for question, reply in zip(some, replies, strict=True):
        yield _asked(question, chat, run, new_tokens, reply, each if reply else 0.0)


def _asked(
    question: "Question",
    chat: Chat,
    run: str,
    new_tokens: int,
    reply: tuple[str, str] | None = None,
    spent: float = 0.0,
) -> Asked:
    """The record of one question, and the server's refusal where it was one.

    Args:
        question: The question.
        chat: Who answers.
        run: That the record names.
        new_tokens: The most tokens of an answer.
        reply: The answer, where it was given before.
        spent: The seconds that it took.
    """
    messages, start, cut = question.messages(), time.monotonic(), ""
    digest = hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()
    raw, output, finish, problem, refusal = "", Answer(""), "error", "", None
    try:
        if isinstance(chat, Local):
            messages, cut = chat.fitted(messages, new_tokens)
        raw, finish = reply or chat.answer(messages, new_tokens)
        output = question.read(raw)
    except Refused as error:
        problem, refusal = error.found, error
    except MtpeftError as error:
        problem = error.found
    except Exception as error:  # one odd reply must not cost the other answers
        stop_where_lost(error)
        raw, finish, problem = "", "error", f"{type(error).__name__}: {error}"
    seconds = round(spent + time.monotonic() - start, 3)
    return (
        Prediction(
            run,
            question.task,
            question.instance_id,
            digest,
            raw,
            str(output),
            one_line(finish),
            seconds,
            one_line(problem),
            output.rule,
            cut,
        ),
        refusal,
    )


def _answered(path: Path, run: str) -> set[str]:
    """Instances with an answer; records of failures are dropped from the file, so that each
    instance keeps one record.
    """
    records = resume_predictions(path)
    for record in records:
        if record.run != run:
            raise BadInput(
                path,
                f"answers of run {record.run}",
                f"answers of {run}",
                "give each run a file of its own",
            )
    drop_predictions(path, lambda record: bool(record.error))
    return {r.instance_id for r in records if not r.error}
