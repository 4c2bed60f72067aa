"""How often a run of tokens is evaluated: so that watching it costs at most a tenth of training it
(where a run has so few steps that each is evaluated, one row of every task each time).

Costs are counted in passes that are started one after the other, and in tokens. A pass over rows
costs what a training step costs forward: a third of it (a quarter where activations are recomputed).
Generated text costs a pass for each new token, whatever the batch.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mtpeft.tuning.settings import Settings, as_dict

SHARE = 0.1
"""Of a run's training that its evaluations may cost."""
ROWS = 0.1
"""Rows validated, of those trained on. Without a backward pass that is some 3 % of the work."""
LONGEST, SHORTER = 512, {"summarization": 128}
"""New tokens of a text that is generated for selection; those of tasks with short answers."""


def new_tokens(task: str) -> int:
    """The most new tokens of an answer that is generated for selection."""
    return SHORTER.get(task, LONGEST)


def passes(s: Settings) -> int:
    """Forward passes that a training step is worth (a backward pass is two)."""
    return 3 + s.gradient_checkpointing


def generation(tasks: Sequence[str]) -> int:
    """Passes of one evaluation on generated text."""
    return sum(map(new_tokens, tasks))


def spaced(s: Settings, rows: int, tasks: Sequence[str]) -> Settings:
    """Settings with evaluations evenly spaced over a run, so many and over so few rows that they
    stay within their share.

    A run too short for two evaluations on generated text is selected on its validation loss.

    Args:
        s: Settings of the run, with `evaluations`.
        rows: That the run trains on.
        tasks: Of the run.
    """
    whole = s.batch_size * s.gradient_accumulation
    if s.selection == "generation":
        room = (SHARE - ROWS / passes(s)) * passes(s) * rows / s.batch_size
        affordable = int(room // generation(tasks))
        if affordable < 2:
            s = replace(s, selection="loss")
        else:
            s = replace(s, evaluations=min(s.evaluations, affordable))
    few = max(1, round(ROWS * rows / s.evaluations / len(tasks)))
    return replace(
        s,
        eval_steps=max(1, rows // whole // s.evaluations),
        eval_samples=min(s.eval_samples, few),
    )


def watched(s: Settings, rows: int, tasks: Sequence[str]) -> dict[str, Any]:
    """The settings that `spaced` decides."""
    made = as_dict(spaced(s, rows, tasks))
    return {name: made[name] for name in ("evaluations", "eval_steps", "eval_samples", "selection")}


def cost(s: Settings, rows: int, tasks: Sequence[str]) -> tuple[float, float]:
    """What the evaluations of a run take.

    Args:
        s: Settings of the run, as the profile has them.
        rows: That the run trains on.
        tasks: Of the run.

    Returns:
        Tokens that are passed forward, and passes of generation.
    """
    if s.evaluations:
        s = spaced(s, rows, tasks)
    steps = rows // (s.batch_size * s.gradient_accumulation)
    times = steps // s.eval_steps if s.eval_steps else 0
    each = s.eval_samples * (len(tasks) + (s.selection == "teacher-forced")) * s.max_length
    made = generation(tasks) * (s.selection == "generation")
    return times * float(each + s.selection_samples * made), times * float(made)
