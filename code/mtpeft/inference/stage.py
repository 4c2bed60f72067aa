"""`mtpeft infer`: predictions of one run on one evaluation set, append-only and resumable by
instance.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.locks import held
from mtpeft.core.objects import read_object
from mtpeft.core.progress import Progress
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import (
    Prediction,
    append_predictions,
    arrange_predictions,
    drop_predictions,
    read_predictions,
    resume_predictions,
)
from mtpeft.corpora import Example
from mtpeft.inference.backends import Backend
from mtpeft.inference.batches import batches
from mtpeft.inference.settings import InferenceProfile
from mtpeft.inference.spread import Share, share_file, share_files
from mtpeft.models.device import stop_where_lost
from mtpeft.tasks import answer_of, rendered_prompt, task_module, wording
from mtpeft.tasks.rendering import HUMAN_ASSISTANT, prompt_sha256


@dataclass(frozen=True)
class Request:
    """What to predict: an evaluation set by a run.

    Attributes:
        run: That the predictions name.
        evaluation: The evaluation set.
        regime: `st` or `mt`, which the study's wording depends on.
        profile: How predictions are made.
        examples: The instances.
        model_identity: What else tells these predictions from others (hash of the weights, seed,
            dtype, say); a file is continued only by the same.
        tokens_in_flight: Prompt and answer tokens of one batch (0: as the backend and the profile
            say).
        share: Which of the batches this process answers (see `spread`).
    """

    run: str
    evaluation: str
    regime: str
    profile: InferenceProfile
    examples: Sequence[Example]
    model_identity: Mapping[str, Any] = field(default_factory=dict)
    tokens_in_flight: int = 0
    share: Share = (0, 1)

    def made_by(self, backend: str) -> dict[str, Any]:
        """What decides the predictions.

        Args:
            backend: The name of who decodes.
        """
        return {
            "run": self.run,
            "evaluation": self.evaluation,
            "profile": self.profile.name,
            "backend": backend,
            **self.model_identity,
        }


def infer(request: Request, backend: Backend, path: Path) -> Path:
    """Predict what is not in the file of records yet.

    Records of other prompts or of another model are refused, not continued. An instance that fails
    is a record with finish reason `error` (see `failed`); `drop_errors` removes such records, so
    that the next run tries again. A finished file has the order of the set; one share of the work
    is written beside it, while another process holds the file.

    Args:
        request: What to predict.
        backend: Who decodes.
        path: The file of predictions, which is continued.

    Returns:
        `path`.

    Raises:
        InUse: Another process writes the file.
        MtpeftError: The file holds records of other prompts or of another model.
        DeviceLost: The device failed; no instance is charged with that.
    """
    if not request.examples:
        raise MtpeftError(
            f"no instances of {request.evaluation}", "an evaluation set of the corpus", "make data"
        )
    made_by, (number, count) = request.made_by(backend.name), request.share
    mine = share_file(path, number) if count > 1 else path
    # Two processes would both find an instance missing, and both write it.
    with held(mine, wait=False):
        if count == 1:
            take_up(request, path, backend.name)
        _same_origin(mine, made_by)
        _infer(request, backend, path, mine)
        if count == 1:
            finish(request, path, backend.name)
    return path


def take_up(request: Request, path: Path, backend: str) -> set[str]:
    """Add to a file of predictions, whose lock is held, what processes with a share of the work have
    left beside it.

    Args:
        request: What is predicted.
        path: The file.
        backend: The name of who decodes.

    Returns:
        The instances that have no answer yet.

    Raises:
        MtpeftError: Records of other prompts or of another model.
    """
    made_by = request.made_by(backend)
    for share in share_files(path):
        _same_origin(path, made_by)
        _same_origin(share, made_by)
        known = {record.instance_id for record in resume_predictions(path)}
        more = [r for r in resume_predictions(share) if r.instance_id not in known]
        append_predictions(path, more)
        share.unlink()
        _origin(share).unlink()
    done = {record.instance_id for record in resume_predictions(path)}
    return {example.id for example in request.examples} - done


def finish(request: Request, path: Path, backend: str) -> None:
    """Bring a file of predictions into the order of its set and say who made it.

    Args:
        request: What was predicted.
        path: The file.
        backend: The name of who decodes.
    """
    if not path.is_file():
        return
    arrange_predictions(path, (example.id for example in request.examples))
    write_provenance(path, [], **request.made_by(backend))


def _infer(request: Request, backend: Backend, path: Path, mine: Path) -> None:
    number, count = request.share
    decoding = request.profile.decoding(request.examples[0].task)
    words = wording(request.profile.wording, request.regime, inference=True)
    template = HUMAN_ASSISTANT if decoding.forced_template else None
    prompts = [rendered_prompt(e, backend.tokenizer, words, template) for e in request.examples]
    done = _done(path, request, prompts)
    missing = {i for i, e in enumerate(request.examples) if e.id not in done}
    if not missing:
        return
    lengths = [
        len(ids) for ids in backend.tokenizer(prompts, add_special_tokens=False)["input_ids"]
    ]
    title = f"infer {request.run} {request.evaluation}"
    positions = getattr(backend, "positions", None)
    longest = decoding.input_tokens or max(lengths)
    far = (
        sum(min(n, longest) + decoding.new_tokens > positions for n in lengths) if positions else 0
    )
    if far and number == 0:
        print(
            f"{title}: {far} of {len(lengths)} prompts leave no room for {decoding.new_tokens} tokens "
            f"in the {positions} positions of the model; what it says beyond them is of no use"
        )
    if count > 1:
        title += f", process {number + 1} of {count}"
    with Progress(title, -(-len(missing) // count)) as progress:
        room = (
            request.tokens_in_flight or backend.tokens_in_flight or request.profile.tokens_in_flight
        )
        # The batches of the whole set: a run that goes on has those of one that was never cut off.
        made = batches(lengths, decoding.new_tokens, room, decoding.batch_size)
        todo = (some for batch in made if (some := [i for i in batch if i in missing]))
        for batch in islice(todo, number, None, count):
            append_predictions(
                mine,
                predict(
                    request,
                    backend,
                    [request.examples[i] for i in batch],
                    [prompts[i] for i in batch],
                ),
            )
            progress.step(count=len(batch))


def _same_origin(path: Path, made_by: dict[str, Any]) -> None:
    """Note in a file next to the records who answers, before the first answer; refuse records that
    another one began.
    """
    note = _origin(path)
    if path.is_file() and note.is_file():
        known = read_object(
            note, "who answered", f"remove {path} and {note}, or give another MTPEFT_OUT"
        )
        if other := [name for name in {**known, **made_by} if known.get(name) != made_by.get(name)]:
            raise MtpeftError(
                f"{path} holds answers of {other[0]} {known.get(other[0])}",
                f"{other[0]} {made_by.get(other[0])}",
                f"remove {path}, or give another MTPEFT_OUT",
            )
    write_atomic(note, json.dumps(made_by, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _origin(path: Path) -> Path:
    return path.with_name(path.name + ".origin.json")


def predict(
    request: Request, backend: Backend, examples: list[Example], prompts: list[str]
) -> list[Prediction]:
    """Answers of one batch; where it fails, each of its instances by itself, so that one bad
    instance is one bad record.

    Args:
        request: Of which run, by which profile.
        backend: Who decodes.
        examples: The instances, of one task.
        prompts: Theirs.

    Raises:
        DeviceLost: The device failed; no instance is charged with that.
    """
    task = examples[0].task
    decoding, started = request.profile.decoding(task), time.perf_counter()
    try:
        more = {"as_configured": True} if decoding.as_configured else {}
        answers = backend.answers(prompts, decoding.new_tokens, decoding.input_tokens, **more)
    except (RuntimeError, ValueError, IndexError, ArithmeticError) as error:
        stop_where_lost(error)
        if len(prompts) > 1:
            return [
                record
                for e, p in zip(examples, prompts, strict=True)
                for record in predict(request, backend, [e], [p])
            ]
        return [
            Prediction(
                request.run,
                request.evaluation,
                examples[0].id,
                prompt_sha256(prompts[0]),
                "",
                "",
                "error",
                round(time.perf_counter() - started, 4),
                f"{type(error).__name__}: {error}",
            )
        ]
    each = round((time.perf_counter() - started) / len(prompts), 4)
    module, faithful = task_module(task), request.profile.faithful_answers
    taken = [answer_of(module, a.text, faithful, e) for e, a in zip(examples, answers, strict=True)]
    return [
        Prediction(
            request.run,
            request.evaluation,
            e.id,
            prompt_sha256(p),
            a.text,
            str(answer),
            a.finish_reason,
            each,
            rule=answer.rule,
            prompt_cut=_cut(backend, p, decoding.input_tokens),
        )
        for e, p, a, answer in zip(examples, prompts, answers, taken, strict=True)
    ]


def _cut(backend: Backend, prompt: str, input_tokens: int) -> str:
    """What a prompt has lost at its end, where the study cut there; empty where nothing."""
    if not input_tokens:
        return ""
    tokens = len(backend.tokenizer(prompt, add_special_tokens=False)["input_ids"])
    over = tokens - input_tokens
    return f"study: the last {over} of {tokens} tokens" if over > 0 else ""


def _done(path: Path, request: Request, prompts: Sequence[str]) -> set[str]:
    """Instances that have a record; a last line cut off by a kill is removed, anything else
    malformed is refused.
    """
    wanted = {e.id: prompt_sha256(p) for e, p in zip(request.examples, prompts, strict=True)}
    done = set()
    for record in resume_predictions(path):
        if wanted.get(record.instance_id, record.prompt_sha256) != record.prompt_sha256:
            raise MtpeftError(
                f"{path} holds {record.instance_id} with another prompt",
                "predictions of the same prompts",
                f"the profile or the wording has changed: remove {path}, or give another MTPEFT_OUT",
            )
        done.add(record.instance_id)
    return done


def failed(path: Path) -> int:
    """How many instances in a file of predictions have an error in place of an answer."""
    return sum(bool(p.error) for p in read_predictions(path) if isinstance(p, Prediction))


def drop_errors(path: Path) -> int:
    """Remove records with finish reason `error`, so that they are predicted again.

    Returns:
        How many were removed.
    """
    with held(path, wait=False):
        return drop_predictions(path, lambda record: record.finish_reason == "error")
