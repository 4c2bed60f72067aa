"""What language models write about pieces of code, with scores."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from mtpeft.catalog import catalog
from mtpeft.core.errors import BadInput
from mtpeft.core.progress import Progress
from mtpeft.inference.apply.pieces import Asked, unread
from mtpeft.inference.apply.results import Options, Report, Result, Work
from mtpeft.inference.backends import fitting
from mtpeft.inference.batches import batches
from mtpeft.inference.generate import Generated
from mtpeft.inference.resident import NONE, Resident
from mtpeft.inference.settings import TaskDecoding, profile
from mtpeft.inference.stage import Request, predict
from mtpeft.inference.trained import Trained
from mtpeft.tasks import Wording, rendered_prompt, wording


class Residents:
    """Language models by base: runs with adapters on equal bases share one."""

    def __init__(self, runs: Sequence[Trained], options: Options) -> None:
        self._runs, self._options = [r for r in runs if not r.heads], options
        self._made: dict[tuple[str, bool], Resident] = {}

    def of(self, run: Trained) -> tuple[Resident, str]:
        """The model of a run, and the name of its adapter in it."""
        key = self._key(run)
        if key not in self._made:
            same = [r for r in self._runs if not r.whole and self._key(r) == key]
            adapters = {str(r.folder): r.folder for r in same}
            self._made[key] = Resident(key[0], adapters, self._options.dtype, key[1])
        return self._made[key], NONE if run.whole else str(run.folder)

    def _key(self, run: Trained) -> tuple[str, bool]:
        """Folder of the weights, and whether they are loaded in NF4."""
        if run.whole:
            untuned = run.regime == "untuned"
            return run.source(self._options.backbone) if untuned else str(run.folder), False
        method = catalog().get("methods", run.method)
        return run.source(self._options.backbone), method.tuning.get("weights") == "nf4"


class _Speaking:
    """A resident model with one of its adapters, as a backend."""

    name = "transformers"

    def __init__(self, resident: Resident, adapter: str) -> None:
        self.resident, self.adapter = resident, adapter
        self.tokenizer, self.tokens_in_flight = resident.tokenizer, fitting(resident.model)

    def answers(
        self,
        prompts: Sequence[str],
        new_tokens: int,
        input_tokens: int,
        as_configured: bool = False,
    ) -> list[Generated]:
        """Answers in the order of the prompts; they are never cut here."""
        return self.resident.answers(self.adapter, prompts, new_tokens)


def ask_language_model(
    run: Trained, work: Work, resident: Resident, adapter: str, options: Options, report: Report
) -> None:
    """Ask a run of a language model.

    Args:
        run: The run.
        work: Its tasks with their questions.
        resident: The base model.
        adapter: The run's adapter in it.
        options: The most tokens of an answer.
        report: Takes the answers.

    Raises:
        DeviceLost: The device failed.
    """
    speaking, words = _Speaking(resident, adapter), wording(run.wording, run.regime, inference=True)
    for task, asked in work:
        how = profile("clean")
        new_tokens = options.new_tokens or how.decoding(task.id).new_tokens
        how = replace(how, tasks={task.id: TaskDecoding(new_tokens)})
        request = Request(run.name, task.id, run.regime, how, [])
        fits: list[tuple[Asked, str, str]] = []
        for one in asked:
            try:
                fits.append((one, *_fitting(one, words, resident, new_tokens)))
            except BadInput as error:
                report.errors.append(error)
            except KeyError as error:
                report.errors.append(unread(task, error))
                break
        lengths = [resident.tokens(prompt) for _, prompt, _ in fits]
        found: dict[int, Result] = {}
        with Progress(f"apply {run.name} {task.id}", len(fits)) as progress:
            room = speaking.tokens_in_flight or how.tokens_in_flight
            for batch in batches(lengths, new_tokens, room):
                prompts = [fits[i][1] for i in batch]
                said = predict(request, speaking, [fits[i][0].example for i in batch], prompts)
                for i, record in zip(batch, said, strict=True):
                    one, prompt, cut = fits[i]
                    if record.error:
                        report.errors.append(
                            BadInput(
                                one.function.path,
                                f"{task.id}: {record.error}",
                                f"an answer of {run.name}",
                                "a shorter function, or --new-tokens with a smaller number",
                                line=one.function.line,
                            )
                        )
                        continue
                    found[i] = Result(
                        run.name,
                        task.id,
                        task.output,
                        one.function,
                        answer=record.output,
                        language=one.example.language if task.output == "code" else None,
                        mean_log_probability=_score(resident, prompt, record.raw_output),
                        finish_reason=record.finish_reason,
                        cut=cut,
                    )
                progress.step(count=len(batch))
        report.results += [found[i] for i in sorted(found)]


def _fitting(one: Asked, words: Wording, resident: Resident, new_tokens: int) -> tuple[str, str]:
    """The prompt of a question, its longest input cut at its end where model and answer leave no
    room for all of it; and how much was read, empty where all.

    Raises:
        BadInput: There is no room even without that input.
    """
    room = None if resident.positions is None else resident.positions - new_tokens
    name, text = max(one.example.inputs.items(), key=lambda item: len(item[1]))

    def prompt(characters: int) -> str:
        inputs = {**one.example.inputs, name: text[:characters]}
        return rendered_prompt(replace(one.example, inputs=inputs), resident.tokenizer, words)

    def fits(characters: int) -> bool:
        return room is None or resident.tokens(prompt(characters)) <= room

    if fits(len(text)):
        return prompt(len(text)), ""
    if not fits(0):
        raise BadInput(
            one.function.path,
            f"{resident.positions} positions hold no prompt and {new_tokens} tokens of an answer",
            "an answer that leaves room for the prompt",
            "--new-tokens with a smaller number",
            line=one.function.line,
        )
    kept = bisect_left(range(len(text)), 1, key=lambda characters: not fits(characters)) - 1
    return prompt(kept), f"{kept} of {len(text)} characters of the {name}"


def _score(resident: Resident, prompt: str, raw: str) -> float | None:
    """Mean log-probability of an answer's tokens after the prompt, by the adapter that answered
    last; None of an empty answer.
    """
    import torch

    head, tail = (
        resident.tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, raw)
    )
    if not tail:
        return None
    ids = torch.tensor([head + tail], device=resident.model.device)
    with torch.inference_mode():
        logits = resident.model(input_ids=ids, logits_to_keep=len(tail) + 1).logits[0, :-1]
    said = logits.float().log_softmax(-1)[torch.arange(len(tail)), ids[0, len(head) :]]
    return float(said.mean())
