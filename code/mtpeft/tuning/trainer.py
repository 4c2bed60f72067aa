"""transformers' Trainer with what multi-task tuning needs: a planned order, a factor per task,
losses per task.

TRL's SFT trainer is not the base: it prepares data itself, without task identities, and its
defaults (bf16, gradient checkpointing) are silent. A test and a benchmark run it beside this one.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import SequentialSampler
from transformers import Trainer

from mtpeft.core.errors import MtpeftError
from mtpeft.tuning.balancing import Balancing
from mtpeft.tuning.plan import IGNORED, Plan, collate

BALANCING_FILE = "balancing.json"
Metrics = Callable[[Any, int], dict[str, float]]


class MultiTaskTrainer(Trainer):
    """A trainer whose data set is a `Plan`.

    rule: loss balancing; validation: task → plan of its validation rows; metrics: called with model
    and step at every evaluation, its result is merged into the evaluation's. `stopped` holds tasks
    that are no longer supervised, `seconds_before` what a resumed run had taken up to its
    checkpoint.
    """

    def __init__(
        self,
        *,
        rule: Balancing,
        validation: dict[str, Plan],
        metrics: Metrics | None,
        padding: int,
        **more: Any,
    ) -> None:
        super().__init__(data_collator=lambda rows: collate(rows, padding), **more)
        self.rule, self.validation, self.metrics, self.padding = rule, validation, metrics, padding
        self.names = list(self.train_dataset.store.names)
        self.stopped: set[str] = set()
        self.seconds_before = 0.0
        self._begun = time.monotonic()
        self.curve: list[dict[str, Any]] = []
        self.tokens_seen = np.zeros(len(self.names))
        self.supervised_seen = np.zeros(len(self.names))
        self.loss_is_scaled_for_ga = True  # factors are over the whole batch already
        self._counts = np.zeros(len(self.names))
        self._micro_batches = 1
        self._sums = torch.zeros(2, len(self.names), dtype=torch.float64)

    @property
    def seconds(self) -> float:
        """Seconds of training, those before a resumption included (not what a kill lost after its
        last checkpoint).
        """
        return self.seconds_before + time.monotonic() - self._begun

    # ------------------------------------------------------------ data

    def _get_train_sampler(self, *_: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["input_ids", "labels", "position_ids", "token_tasks"]

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list, None]:
        """Draw the micro-batches of one optimizer step and count their supervised tokens over all
        processes.
        """
        batches = []
        for _ in range(num_batches):
            try:
                batches.append(next(epoch_iterator))
            except StopIteration:
                break
        totals = torch.zeros(2, len(self.names), dtype=torch.float64)
        for batch in batches:
            self._silence(batch)
            kept = batch["labels"][:, 1:] != IGNORED
            totals[0] += _count(batch["token_tasks"][:, 1:][kept], len(self.names))
            totals[1] += _count(
                batch["token_tasks"][batch["input_ids"] != self.padding], len(self.names)
            )
        totals = self._summed(totals)
        self._counts = totals[0].numpy()
        self.supervised_seen += self._counts
        self.tokens_seen += totals[1].numpy()
        self._micro_batches = len(batches) * self.args.world_size
        self._sums.zero_()
        return batches, None

    def _silence(self, batch: dict[str, torch.Tensor]) -> None:
        """Take the labels of stopped tasks away."""
        for name in self.stopped:
            batch["labels"][batch["token_tasks"] == self.names.index(name)] = IGNORED

    def _summed(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over processes of a small float64 tensor, on the CPU."""
        if self.args.world_size == 1:
            return values.cpu()
        return self.accelerator.reduce(values.to(self.args.device), reduction="sum").cpu()

    # ------------------------------------------------------------ loss

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
        **_: Any,
    ) -> Any:
        """The share of this micro-batch in the whole batch's loss, times the processes (gradients
        are averaged).
        """
        micro = int((inputs["labels"][:, 1:] != IGNORED).sum())
        factors = self.rule.factors(self._counts, micro, self._micro_batches)
        given = torch.tensor(factors, dtype=torch.float32, device=inputs["labels"].device)
        out = model(**inputs, task_factors=given)
        self._sums += torch.stack([out["task_sums"], out["task_counts"]]).to(self._sums)
        loss = out["loss"] * self.args.world_size
        return (loss, out) if return_outputs else loss

    def finish_step(self) -> dict[str, Any]:
        """After an optimizer step: the losses of its batch, told to the rule and added to the
        curve.
        """
        sums, counts = self._summed(self._sums).numpy()
        losses = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        if wrong := [
            i for i in range(len(self.names)) if counts[i] and not math.isfinite(losses[i])
        ]:
            size = self.args.train_batch_size * self._micro_batches
            raise MtpeftError(
                f"the loss of {self.names[wrong[0]]} is {losses[wrong[0]]} in step {self.state.global_step}, rows "
                f"{(self.state.global_step - 1) * size} to {self.state.global_step * size - 1} of the plan",
                "a finite number",
                "--set learning_rate=RATE with a lower one",
            )
        factors = self.rule.factors(counts, int(counts.sum()), 1)
        row = {
            "step": self.state.global_step,
            "loss": float((factors * sums).sum()),
            "learning_rate": self._rate(),
            **{f"loss_{name}": _number(losses[i]) for i, name in enumerate(self.names)},
            **{
                f"weight_{name}": _number(self.rule.weights()[i])
                for i, name in enumerate(self.names)
            },
            **{f"tokens_{name}": int(self.tokens_seen[i]) for i, name in enumerate(self.names)},
        }
        self.curve.append(row)
        self.rule.after_step(losses, row["learning_rate"])
        return row

    def _rate(self) -> float:
        return float(self.lr_scheduler.get_last_lr()[0])

    # ------------------------------------------------------------ validation

    def validation_losses(self, limit: int | None = None) -> np.ndarray:
        """Mean cross entropy of each task over (the first `limit` rows of) its validation plan,
        shape [K].
        """
        model = self.model
        model.eval()
        sums = torch.zeros(2, len(self.names), dtype=torch.float64)
        ones = torch.ones(len(self.names))
        with torch.no_grad(), self.compute_loss_context_manager():
            for rows in self.validation.values():
                size, total = (
                    self.args.per_device_eval_batch_size,
                    min(len(rows), limit or len(rows)),
                )
                for start in range(0, total, size * self.args.world_size):
                    first = start + self.args.process_index * size
                    mine = range(first, min(first + size, total))
                    # A sharded model runs on all processes or on none: one that has no rows left
                    # runs another's, uncounted.
                    batch = self._prepare_inputs(
                        collate([rows[i] for i in mine or [0]], self.padding)
                    )
                    out = model(**batch, task_factors=ones.to(batch["labels"].device))
                    if mine:
                        sums += torch.stack([out["task_sums"], out["task_counts"]]).cpu()
        model.train()
        summed, counts = self._summed(sums).numpy()
        return np.where(counts > 0, summed / np.maximum(counts, 1), np.nan)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Validation loss a task, their mean, and the selection metrics; logged, and given to the
        callbacks.
        """
        losses = self.validation_losses()
        metrics = {f"eval_loss_{name}": float(losses[i]) for i, name in enumerate(self.names)}
        metrics["eval_loss"] = float(np.nanmean(losses))
        if self.metrics is not None:
            random = torch.get_rng_state()
            metrics.update(self.metrics(self.model, self.state.global_step))
            torch.set_rng_state(random)
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    # ------------------------------------------------------------ checkpoints

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        folder = Path(self._get_output_dir(trial)) / f"checkpoint-{self.state.global_step}"
        if self.args.should_save and folder.is_dir():
            state = {
                "rule": self.rule.state(),
                "stopped": sorted(self.stopped),
                "tokens_seen": self.tokens_seen.tolist(),
                "supervised_seen": self.supervised_seen.tolist(),
                "curve": self.curve,
                "seconds": self.seconds,
            }
            (folder / BALANCING_FILE).write_text(json.dumps(state))

    def restore(self, checkpoint: Path) -> None:
        """Take up what a checkpoint holds beside transformers' own files."""
        state = json.loads((checkpoint / BALANCING_FILE).read_text())
        self.rule.restore(state["rule"])
        self.stopped = set(state["stopped"])
        self.tokens_seen, self.supervised_seen = (
            np.array(state["tokens_seen"]),
            np.array(state["supervised_seen"]),
        )
        self.curve, self.seconds_before = state["curve"], state["seconds"]


def _count(tasks: torch.Tensor, number: int) -> torch.Tensor:
    return torch.bincount(tasks.flatten().cpu(), minlength=number).to(torch.float64)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
