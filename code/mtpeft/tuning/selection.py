"""What a run is selected on: validation loss, generated text, or the study's teacher-forced metric.

Higher is better in all of them. They choose a checkpoint; they are never reported as results.
"""

import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any

from mtpeft.core.errors import Unavailable
from mtpeft.corpora import Example
from mtpeft.tasks import Wording, rendered_prompt, task_module
from mtpeft.tuning.plan import IGNORED, Plan, collate
from mtpeft.tuning.watching import new_tokens

Generate = Callable[[Any, Any, list[str], int], list[str]]


def similarity(answer: str, reference: str) -> float:
    """Share of matching tokens in order (difflib's ratio over words and signs), in [0, 1]."""
    left, right = (re.findall(r"\w+|[^\w\s]", text) for text in (answer, reference))
    return (
        difflib.SequenceMatcher(None, left, right, autojunk=False).ratio() if left or right else 1.0
    )


def generated(
    examples: dict[str, Sequence[Example]], tokenizer: Any, words: Wording, generate: Generate
) -> Callable[[Any, int], dict[str, float]]:
    """Metrics of generated text: `eval_selection_<task>` and their unweighted mean
    `eval_selection`.

    Args:
        examples: Those to answer, by task.
        tokenizer: Of the base model.
        words: The words of the prompts.
        generate: The inference stage's function.

    Returns:
        A function of model and step.
    """

    def metrics(model: Any, step: int) -> dict[str, float]:
        found = {}
        for task, some in examples.items():
            prompts = [rendered_prompt(e, tokenizer, words) for e in some]
            raw = generate(model, tokenizer, prompts, new_tokens(task))
            module = task_module(task)
            scores = [
                similarity(module.answer(text, False), e.target)
                for text, e in zip(raw, some, strict=True)
            ]
            found[f"eval_selection_{task}"] = sum(scores) / len(scores)
        return {**found, "eval_selection": sum(found.values()) / len(found)}

    return metrics


def teacher_forced(
    rows: Plan, tokenizer: Any, tasks: list[str]
) -> Callable[[Any, int], dict[str, float]]:
    """The study's in-training metric, quirks included.

    The argmax of every position of a packed row is decoded and compared with the row's labels, not
    shifted, prompt included, several examples together. Summarization: sentence BLEU of the last
    "SUMMARY:" … "DONE"; otherwise CodeBLEU × 100 with the language guessed from the text, failures
    counted as 0. With several tasks it is the mean over all scores.

    Args:
        rows: The plan of the validation rows.
        tokenizer: Of the base model.
        tasks: Those of the run.

    Raises:
        Unavailable: The libraries of group `score` are not installed.
    """
    try:
        import codebleu
        import sacrebleu
    except ImportError as error:
        raise Unavailable(
            f"teacher-forced selection needs group `score`: {error}",
            "sacrebleu and codebleu",
            "make .venv/.score, or --set selection=loss",
        ) from error

    def score(predicted: str, label: str) -> list[float]:
        scores = []
        if "summarization" in tasks and (len(tasks) == 1 or "SUMMARY:" in label):
            scores.append(sacrebleu.sentence_bleu(_summary(predicted), [_summary(label)]).score)
        if tasks != ["summarization"]:
            try:
                scores.append(
                    100
                    * codebleu.calc_codebleu([label], [predicted], _language(label, tasks))[
                        "codebleu"
                    ]
                )
            except Exception:  # the study: a failure is a zero
                scores.append(0.0)
        return scores

    def metrics(model: Any, step: int) -> dict[str, float]:
        import torch

        device, scores = next(model.parameters()).device, []
        model.eval()
        with torch.no_grad():
            for number in range(len(rows)):
                batch = collate([rows[number]], tokenizer.pad_token_id)
                logits = model(
                    input_ids=batch["input_ids"].to(device),
                    position_ids=batch["position_ids"].to(device),
                ).logits
                labels = batch["labels"][0].clone()
                labels[labels == IGNORED] = tokenizer.eos_token_id
                scores += score(
                    *(
                        tokenizer.decode(t, skip_special_tokens=True)
                        for t in (logits[0].argmax(-1).cpu(), labels)
                    )
                )
        model.train()
        return {"eval_selection": sum(scores) / max(len(scores), 1)}

    return metrics


def _summary(text: str) -> str:
    return text.rsplit("SUMMARY:", 1)[-1].split("DONE", 1)[0].strip()


def _language(text: str, tasks: list[str]) -> str:
    if tasks == ["generation"]:
        head = text[:50]
        if any(word in head for word in ("public", "private", "class")):
            return "java"
        return "python" if any(word in text for word in ("def ", "import ", "__")) else "java"
    if tasks == ["translation"]:
        if "public" in text or "private" in text:
            return "java"
        return "c_sharp" if "namespace" in text or "using System" in text else "java"
    if any(word in text[:50] for word in ("public", "private", "class")):
        return "java"
    if any(word in text for word in ("def ", "import ", "__")):
        return "python"
    return "c_sharp" if "namespace" in text or "using System" in text else "java"
