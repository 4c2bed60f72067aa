"""transformers' Trainer with what multi-task tuning needs, whatever the objective: a share of each
task in the loss, losses and cost per task, tasks that stop, one device a process, checkpoints that
resume (on a CPU to the byte), and an end where a loss is no number.

TRL's SFT trainer is not the base: it prepares data itself, without task identities, and its
defaults (bf16, gradient checkpointing) are silent. A test and a benchmark compare it with this one.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Trainer
from transformers.trainer_utils import rotate_checkpoints

from mtpeft.core.errors import MtpeftError
from mtpeft.models.damage import newest_whole
from mtpeft.models.device import described, kind
from mtpeft.tuning import conflict, identity
from mtpeft.tuning.balancing.gradients import Aggregated
from mtpeft.tuning.balancing.rule import Rule
from mtpeft.tuning.ledger import Ledger
from mtpeft.tuning.settings import Settings

DIVERGED = "a finite number", "--set learning_rate=RATE with a lower one"
STATE = "state.json"
"""Written last into a checkpoint: one without it was cut off."""


class MultiTaskTrainer(Trainer):
    """What both objectives share.

    Args:
        names: The tasks, in the order of the rule.
        rule: The rule of loss balancing.
        conflict_every: Steps from one look at the angles between the tasks' gradients to the next
            (0: none).
        more: What transformers' Trainer takes.

    Attributes:
        stopped: Tasks that are no longer supervised.
        curve: One row an optimizer step.
        ledger: The bill.
        opening: What the run computes with.
        aggregator: The rule, where it combines gradients.
        conflicts: Cosine between the gradients of every two tasks that were looked at in the step.

    Raises:
        MtpeftError: Gradients of single tasks are asked for on several processes.
    """

    # Attributes of the base class, whose types its library does not publish.
    control: Any
    optimizer: Any

    def __init__(
        self, *, names: list[str], rule: Rule, conflict_every: int = 0, **more: Any
    ) -> None:
        super().__init__(**more)
        self.conflict_every = conflict_every
        self.conflicts: dict[tuple[str, str], float] = {}
        self.aggregator = rule if isinstance(rule, Aggregated) else None
        if (self.aggregator or conflict_every) and self.args.world_size > 1:
            raise MtpeftError(
                f"gradients of single tasks on {self.args.world_size} processes",
                "one process, which has the whole gradient of each task",
                "GPUS=1, or --set conflict_every=0 and another balancing",
            )
        self.names, self.rule = names, rule
        self.stopped: set[str] = set()
        self.curve: list[dict[str, Any]] = []
        self.ledger = Ledger()
        self.opening: dict[str, Any] = {}

    # ------------------------------------------------------------ what an objective says

    def step_losses(self) -> tuple[np.ndarray, float]:
        """Mean loss of each task in the step just taken (NaN where it was absent), shape [K], and
        the loss that was trained on.
        """
        raise NotImplementedError

    def step_rows(self) -> str:
        """Which rows or examples the step took, for people."""
        raise NotImplementedError

    def shared_parameters(self) -> list[torch.nn.Parameter]:
        """The trained weights that all tasks pass."""
        raise NotImplementedError

    def task_gradient(self, name: str) -> torch.Tensor | None:
        """Gradient of a task's mean loss on what it was trained on last, in the shared weights, shape
        [P]; None where it was not seen yet. Changes nothing.
        """
        raise NotImplementedError

    def validation_losses(self, limit: int | None = None) -> np.ndarray:
        """Mean validation loss of each task, over `limit` rows at most, shape [K]."""
        raise NotImplementedError

    def check(self) -> None:
        """What must hold on this device before the first step."""

    def agreed(self, value: Any) -> Any:
        """The first process's value, on every process: what decides when a task or the run ends must
        not be decided several times, by answers that rounding may flip.
        """
        if self.args.world_size == 1:
            return value
        shared = [value]
        torch.distributed.broadcast_object_list(shared, src=0, device=self.args.device)
        return shared[0]

    def finite(self, where: str, losses: Mapping[str, float]) -> None:
        """Make sure that validation gave numbers.

        Args:
            where: After what, for people.
            losses: Of each task that was validated.

        Raises:
            MtpeftError: It did not.
        """
        for name, value in losses.items():
            if not math.isfinite(value):
                raise MtpeftError(f"the validation loss of {name} is {value} {where}", *DIVERGED)

    def check_weights(self) -> None:
        """Make sure that what was trained is numbers: the last step's update has no loss after it.

        Raises:
            MtpeftError: A weight is not finite.
        """
        for name, p in self.model.named_parameters():
            if p.requires_grad and not bool(torch.isfinite(_own(p)).all()):
                step = self.state.global_step
                raise MtpeftError(f"{name} is not finite after step {step}", *DIVERGED)

    def rate(self) -> float:
        """The learning rate that the rule and the curve are told."""
        return float(self.lr_scheduler.get_last_lr()[0])

    def more_state(self) -> dict[str, Any]:
        """What else a resumed run needs, as JSON."""
        return {}

    def take_up(self, state: dict[str, Any]) -> None:
        """Take up what `more_state` gave."""

    # ------------------------------------------------------------ steps

    def finish_step(self) -> dict[str, Any]:
        """After an optimizer step: its losses, told to the rule and added to the curve.

        Raises:
            MtpeftError: A loss is not finite.
        """
        losses, loss = self.step_losses()
        for name, value in zip(self.names, losses, strict=True):
            if math.isinf(value) or (math.isnan(value) and self.was_seen(name)):
                raise MtpeftError(
                    f"the loss of {name} is {value} in step {self.state.global_step}, "
                    f"{self.step_rows()}",
                    *DIVERGED,
                )
        weights = self.rule.weights()
        row = {
            "step": self.state.global_step,
            "loss": loss,
            "learning_rate": self.rate(),
            **{f"loss_{name}": _number(float(losses[i])) for i, name in enumerate(self.names)},
            **{f"weight_{name}": _number(float(weights[i])) for i, name in enumerate(self.names)},
            **{f"tokens_{name}": self.ledger.tokens.get(name, 0) for name in self.names},
        }
        if self.conflict_every:
            two = conflict.pairs(self.names)
            row |= {f"conflict_{a}_{b}": self.conflicts.get((a, b)) for a, b in two}
            self.conflicts = {}
        self.curve.append(row)
        self.rule.after_step(losses, row["learning_rate"])
        return row

    def look_at_conflicts(self) -> None:
        """Before a step: the angles between the tasks' gradients, where they are due."""
        if not self.conflict_every or self.state.global_step % self.conflict_every:
            return
        with self.ledger.evaluation():
            found = {name: self.task_gradient(name) for name in self.names}
            self.conflicts = conflict.cosines({n: g for n, g in found.items() if g is not None})

    def was_seen(self, name: str) -> bool:
        """Whether a task was in the step just taken."""
        raise NotImplementedError

    # ------------------------------------------------------------ checkpoints

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self.args.save_total_limit = limit
        if self.args.world_size > 1:
            torch.distributed.barrier()  # each process has written its random numbers
        place = Path(self._get_output_dir(trial))
        folder = place / f"checkpoint-{self.state.global_step}"
        if self.args.should_save and folder.is_dir():
            state = {
                "rule": self.rule.state(),
                "stopped": sorted(self.stopped),
                "curve": self.curve,
                "ledger": self.ledger.state(),
                "more": self.more_state(),
            }
            (folder / STATE).write_text(json.dumps(state))
            # Older ones go when this one is whole: the library removes them before.
            rotate_checkpoints(str(place), limit, self.state.best_model_checkpoint)

    def restore(self, checkpoint: Path) -> None:
        """Take up what a checkpoint holds apart from transformers' own files."""
        state = json.loads((checkpoint / STATE).read_text())
        self.rule.restore(state["rule"])
        self.stopped, self.curve = set(state["stopped"]), state["curve"]
        self.ledger.restore(state["ledger"])
        self.take_up(state["more"])


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end and whose files are whole.

    One that is damaged is named and left out: the run goes on from the one before it.
    """
    return newest_whole(p for p in folder.glob("checkpoint-*") if (p / STATE).is_file())


def arguments(folder: Path, s: Settings, **more: Any) -> Any:
    """transformers' arguments for what both objectives set alike.

    Args:
        folder: Where checkpoints go.
        s: Settings of this process.
        more: What the objective sets.
    """
    from transformers import TrainingArguments

    device = kind()
    several = identity.processes() > 1
    made = TrainingArguments(
        output_dir=str(folder),
        use_cpu=device == "cpu",
        seed=s.seed,
        data_seed=s.seed,
        num_train_epochs=1,  # all epochs are one plan
        max_grad_norm=s.gradient_clipping,
        activation_checkpointing=s.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False}
        if s.gradient_checkpointing
        else None,
        logging_strategy="steps",
        logging_steps=s.logging_steps,
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=0,
        ddp_backend="gloo" if several and device == "cpu" else None,
        ddp_find_unused_parameters=False if several else None,
        **more,
    )
    # A process that no launcher started would take every visible GPU, with as many times the batch.
    made._n_gpu = min(1, made.n_gpu)  # noqa: SLF001 (the library has no setting for it)
    if made.fsdp:
        from torch.distributed.fsdp import MixedPrecisionPolicy

        # Gradients of several devices are added up in float32, whatever the weights are.
        policy = MixedPrecisionPolicy(reduce_dtype=torch.float32)
        made.fsdp_plugin_args["mixed_precision_policy"] = policy
    return made


def opening(s: Settings, rows: int, attention: str, title: str, *, bf16: bool) -> dict[str, Any]:
    """What a run computes with, for its records; the first process says it before the first step.

    Args:
        s: Settings of this process.
        rows: Rows or examples of an optimizer step, all processes together.
        attention: Implementation that the model runs with.
        title: Of the run.
        bf16: Whether products are in bfloat16 on this device, whatever type the weights have.
    """
    processes = identity.processes()
    products = s.compute_dtype if s.weights == "nf4" else s.weights
    made = {
        **described(),
        "precision": f"{s.weights} weights, {'bfloat16' if bf16 else products} products",
        "attention": attention,
        "rows_a_step": rows,
        "rows_at_a_time": s.batch_size,
        "processes": processes,
    }
    if identity.rank() == 0:
        print(
            f"train {title}: {processes} × {made['device']}, {made['precision']}, attention "
            f"{attention}, {rows} rows a step, {s.batch_size} at a time",
            flush=True,
        )
    return made


def _own(parameter: Any) -> torch.Tensor:
    """A parameter, or this process's part of one that is sharded."""
    own: torch.Tensor = parameter.to_local() if hasattr(parameter, "to_local") else parameter
    return own.detach()


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
