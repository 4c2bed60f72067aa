"""Training an encoder with a head per task, on batches of one task each.

A step holds one batch of one task or of every task, as the sampler says. Where a batch does not fit
a device at once, or is divided among processes, the same loss and gradients come out, but for
rounding and for the masks of dropout, which are drawn part by part: those of labels are sums over
examples, those of rankings, in which all examples of a batch meet, come from cached vectors (Gao et
al. 2021, arXiv:2101.06983). A run that is cut off goes on at its last checkpoint: on a CPU the same
bytes come out as if nothing had happened.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from transformers import TrainerCallback

from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.paths import shown
from mtpeft.core.records import csv_text
from mtpeft.models.base import attention_of
from mtpeft.models.device import local
from mtpeft.models.heads import positive_weight, ranking_loss
from mtpeft.models.shared import SharedModel, outputs
from mtpeft.tasks.classification import random_ranking, trivial
from mtpeft.tasks.encoding import RANKING, SELECTION, TaskData, answers, scores
from mtpeft.tuning import conflict, identity
from mtpeft.tuning.balancing import balancing
from mtpeft.tuning.balancing.learnable import collapsed
from mtpeft.tuning.callbacks import PerTaskStopping, Recorder, StopAt
from mtpeft.tuning.mixing.batches import Step, sampler
from mtpeft.tuning.once import CHECKPOINTS, once
from mtpeft.tuning.seeding import seed_everything
from mtpeft.tuning.settings import Settings, as_dict
from mtpeft.tuning.trainer import MultiTaskTrainer, arguments, last_checkpoint, opening

Data = Mapping[str, TaskData]
Batches = dict[str, list[dict[str, torch.Tensor]]]
"""By task, the parts of a process's share of a step that are computed one after the other."""
BEST = "best"


@dataclass
class Outcome:
    """What came of one seed.

    Attributes:
        seed: The seed.
        best_epoch: By the mean selection metric on validation data.
        best_valid: That mean.
        test: The scores of the reloaded best checkpoint, by task.
        history: One record an epoch (validation scores, mean training losses, loss weights, tasks
            stopped).
        cost: The ledger's summary.
    """

    seed: int
    best_epoch: int
    best_valid: float
    test: dict[str, dict[str, float]]
    history: list[dict[str, Any]]
    cost: dict[str, Any]


def evaluate(model: SharedModel, data: TaskData, device: str = "cpu") -> dict[str, float]:
    """Loss and scores of a model on one task."""
    loss, raw = outputs(model, data, device=device)
    return scores(data, loss, answers(data, raw))


def linear(steps: int, warmup: int) -> Callable[[int], float]:
    """The factor of the learning rate: up from 0 over the warm-up, then down to 0 at the last step.

    Args:
        steps: Of the run.
        warmup: Of them, the first.
    """
    warm = max(1, warmup)
    return lambda step: min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))


def train_seeds(
    make: Callable[[int], SharedModel],
    train: Data,
    valid: Data,
    test: Data,
    settings: Settings,
    folder: Path,
    seeds: list[int] | None = None,
    about: Mapping[str, Any] | None = None,
    after: Callable[[SharedModel, Path], None] | None = None,
    called: Mapping[str, Any] | None = None,
    **trial: Any,
) -> list[Outcome]:
    """Train once for each seed. Results go to `folder/seed-<n>`.

    Args:
        make: Gives the model of a seed.
        train: Examples by task.
        valid: Those that choose the epoch.
        test: Those that the best checkpoint is tested on.
        settings: Of the run.
        folder: Of all seeds.
        seeds: Which (default: the settings' one).
        about: What else decides what the model is, as JSON.
        after: Handed each newly trained model, best checkpoint loaded, and its folder, before the
            seed counts as finished.
        called: As in `identity.claim`.
        trial: As in `fit`, for tests.

    Raises:
        MtpeftError: A seed's folder holds a result of something else (see `identity`).
    """
    data = {
        split: {task: some.sha256() for task, some in by.items()}
        for split, by in (("train", train), ("valid", valid), ("test", test))
    }
    made = []
    for seed in seeds or [settings.seed]:
        place, chosen = folder / f"seed-{seed}", replace(settings, seed=seed)

        def one(s: Settings, place: Path = place) -> tuple[dict[str, Any], list[Path]] | None:
            seed_everything(s.seed)
            model = make(s.seed).to(local())
            outcome = fit(model, train, valid, test, s, place, **trial)
            if outcome is None:
                return None
            if after is not None:
                after(model, place)
            return asdict(outcome), [p for p in (place / BEST).rglob("*") if p.is_file()]

        decides = {"settings": as_dict(chosen), "data": data, **(about or {})}
        if kept := once(place, decides, chosen, one, called):
            made.append(Outcome(**kept))
    return made


def fit(
    model: SharedModel,
    train: Data,
    valid: Data,
    test: Data,
    settings: Settings,
    folder: Path,
    stop_at: int | None = None,
    fail_at_rows: int | None = None,
) -> Outcome | None:
    """One run, from its last checkpoint where there is one (`once` sees to it that it is this
    run's). The model ends as its best checkpoint.

    Args:
        model: On its device, its random numbers drawn.
        train: Examples by task.
        valid: Those that choose the epoch.
        test: Those that the best checkpoint is tested on.
        settings: Of the run.
        folder: Of this seed.
        stop_at: End after this step as a killed process would (for tests).
        fail_at_rows: Pretend that more rows than this do not fit into memory (for tests).

    Returns:
        What came of it; None where it was stopped.

    Raises:
        MtpeftError: A loss is not finite, or the reloaded checkpoint is not what was saved.
    """
    from transformers import PrinterCallback

    if fail_at_rows is not None:
        _pretend_full(model, fail_at_rows)
    random = _random_state()
    trainer = HeadsTrainer(model, train, valid, settings, folder)
    trainer.remove_callback(PrinterCallback)
    title = f"{folder.parent.name} seed {settings.seed}"
    trainer.opening = opening(
        settings,
        settings.batch_size * settings.gradient_accumulation,
        attention_of(model.encoder),
        title,
        bf16=model.bf16 and local() != "cpu",
    )
    every = int(settings.balancing_options.get("every", 10))
    trainer.add_callback(Recorder(trainer, folder / identity.LOGS, every, title))
    patience = settings.early_stopping_patience or settings.epochs + 1
    stopping = PerTaskStopping(trainer, patience, settings.early_stopping_threshold)
    trainer.add_callback(stopping)
    trainer.add_callback(_Saving(trainer.per_epoch, settings.save_steps))
    if stop_at is not None:
        trainer.add_callback(StopAt(stop_at))
    checkpoint = last_checkpoint(folder / CHECKPOINTS)
    if checkpoint is not None:
        trainer.restore(checkpoint)
        stopping.restore(checkpoint)
    if not trainer.done:
        _restore_random(random)  # the library has seeded again
        with trainer.thread:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    elif checkpoint is not None:
        model.load(checkpoint)
    return trainer.outcome(test) if trainer.done else None


@dataclass(frozen=True)
class _Ahead:
    """A step that is not due yet.

    Attributes:
        stopped: The tasks that it was drawn without.
        step: What it holds.
        place: Of the sampler, behind the step.
        batches: Are made meanwhile.
    """

    stopped: frozenset[str]
    step: Step
    place: dict[str, Any]
    batches: "Future[Batches]"


class HeadsTrainer(MultiTaskTrainer):
    """A trainer whose data set is a number of steps; a sampler says what each of them holds.

    While a step is computed, a thread makes the batches of the next one.

    Attributes:
        thread: That thread; `with` ends it.
    """

    def __init__(
        self, model: SharedModel, train: Data, valid: Data, settings: Settings, folder: Path
    ) -> None:
        whole = settings.batch_size * settings.gradient_accumulation
        lengths = {t: d.lengths() for t, d in train.items()} if settings.group_by_length else None
        self.sampler = sampler(
            settings.mixing,
            {t: len(d) for t, d in train.items()},
            whole,
            settings.seed,
            settings.mixing_temperature,
            lengths,
        )
        epoch = self.sampler.steps_per_epoch
        self.per_epoch = min(epoch, settings.limit_steps or epoch)
        self.data, self.valid, self.settings, self.folder = train, valid, settings, folder
        steps = range(self.per_epoch * settings.epochs)
        options = {k: v for k, v in settings.balancing_options.items() if k != "every"}
        super().__init__(
            names=list(train),
            rule=balancing(settings.balancing, len(train), **options),
            conflict_every=settings.conflict_every,
            model=model,
            args=arguments(
                folder / CHECKPOINTS,
                settings,
                per_device_train_batch_size=1,
                eval_strategy="steps",
                eval_steps=self.per_epoch,
                save_strategy="no",  # `_Saving` says when
                save_total_limit=2,
            ),
            train_dataset=steps,
            eval_dataset=steps,
        )
        self.ledger.counted_steps = settings.counted_batches
        self.history: list[dict[str, Any]] = []
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.best, self.best_epoch, self.best_sha256 = -math.inf, 0, ""
        self.thread = ThreadPoolExecutor(1, "batches", self._on_device)
        self._place = self.sampler.state()
        self._ahead: _Ahead | None = None
        self._batches: Batches = {}
        self._step: Step = {}
        self._recent: Step = {}
        self._losses: dict[str, float] = {}
        self._loss = self._rate = 0.0

    # ------------------------------------------------------------ steps

    def get_train_dataloader(self) -> DataLoader[Any]:
        """The numbers of the steps. A generator of its own: the model's random numbers go on."""
        return DataLoader(
            self.train_dataset, batch_size=1, collate_fn=list, generator=torch.Generator()
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], None]:
        """What the next step holds."""
        self.ledger.begin_step()
        next(epoch_iterator)
        stopped = frozenset(self.stopped)
        now = self._ahead
        if now is None or now.stopped != stopped:
            # The first step; or a task has stopped, and another step comes next.
            self.sampler.restore(self._place)
            now = self._drawn(stopped)
        self._ahead = self._drawn(stopped)
        self._place, self._batches = now.place, now.batches.result()
        return [now.step], None

    def _on_device(self) -> None:
        """A thread begins on the first GPU, where it would take memory of another process's."""
        if self.args.device.type == "cuda":
            torch.cuda.set_device(self.args.device)

    def _drawn(self, stopped: frozenset[str]) -> _Ahead:
        step = self.sampler.next(stopped)
        return _Ahead(stopped, step, self.sampler.state(), self.thread.submit(self._made, step))

    def _made(self, step: Step) -> Batches:
        """This process's share of a step."""
        size, found = self.settings.batch_size, {}
        for task, positions in step.items():
            mine = [int(i) for i in np.array_split(positions, self.args.world_size)[self._rank]]
            parts = [mine[i : i + size] for i in range(0, len(mine), size)]
            found[task] = [self.data[task].batch(part, str(self.args.device)) for part in parts]
        return found

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The named optimizer with two groups: what tasks share, and heads."""
        if self.optimizer is None:
            s = self.settings
            self.args.optim, self.args.learning_rate = s.optimizer, s.learning_rate
            kind, named = self.get_optimizer_cls_and_kwargs(self.args, None)
            named |= {"weight_decay": s.weight_decay}
            named |= {"betas": tuple(s.adam_betas)} if "betas" in named else {}
            groups = [
                {"params": self.model.shared_parameters(), "lr": s.learning_rate},
                {"params": self.model.head_parameters(), "lr": s.head_learning_rate},
            ]
            self.optimizer = kind(groups, **named)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Linear, over all epochs."""
        s = self.settings
        warmup = s.warmup_steps or round(num_training_steps * s.warmup_share)
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer if optimizer is None else optimizer, linear(num_training_steps, warmup)
        )
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def training_step(
        self, model: Any, inputs: Step, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Losses and gradients of one step; each task's graph is freed before the next one's is
        built.
        """
        self.model.train()
        self._step, self._losses = inputs, {}
        self._rate = self.optimizer.param_groups[0]["lr"]
        counts = np.array([len(inputs.get(name, ())) for name in self.names], dtype=float)
        shares = dict(zip(self.names, map(float, self.rule.shares(counts)), strict=True))
        self._recent |= inputs
        self.look_at_conflicts()
        rows = []
        for task, positions in inputs.items():
            self._losses[task] = self._backward(task, positions, shares[task])
            if self.aggregator is not None:
                rows.append(conflict.take(self.shared_parameters()))
            self.sums[task] = self.sums.get(task, 0.0) + self._losses[task]
            self.counts[task] = self.counts.get(task, 0) + 1
        self._loss = sum(shares[task] * loss for task, loss in self._losses.items())
        if self.aggregator is not None:
            combined = self.aggregator.combined(torch.stack(rows))
            conflict.put(combined, self.shared_parameters())
        self._add_up_gradients()
        return torch.tensor(self._loss, device=self.args.device)

    def shared_parameters(self) -> list[torch.nn.Parameter]:
        """Of the method; heads are of one task each."""
        found: list[torch.nn.Parameter] = self.model.shared_parameters()
        return found

    def task_gradient(self, name: str) -> torch.Tensor | None:
        """On as many examples of the task's last batch as are computed at a time."""
        if name not in self._recent or name in self.stopped:
            return None
        random, shared = _random_state(), self.shared_parameters()
        some = [int(i) for i in self._recent[name][: self.settings.batch_size]]
        loss = self.model.loss(name, self.data[name].batch(some, str(self.args.device)))
        made = torch.autograd.grad(loss, shared, allow_unused=True)
        _restore_random(random)
        return conflict.flat(made, shared)

    def _backward(self, task: str, positions: list[int], share: float) -> float:
        """Add share × the gradient of a batch's mean loss.

        Args:
            task: The task.
            positions: Its examples in the batch.
            share: What the rule gives the task.

        Returns:
            The batch's mean loss.
        """
        batches = self._batches[task]
        tokens = sum(int(b["mask"].sum()) for b in batches)
        padded = sum(b["mask"].numel() for b in batches)
        seen = torch.tensor([tokens, padded, sum(len(b["labels"]) for b in batches)])
        self.ledger.seen(task, *map(int, self._added(seen)))
        with self.ledger.counting(task, padded):
            if len(batches) == self.args.world_size == 1:
                loss = self.model.loss(task, batches[0])
                (share * loss).backward()
                return float(loss.detach())
            if self.data[task].head == RANKING:
                return self._cached(task, batches, len(positions), share)
            total = 0.0
            for batch in batches:
                loss = self.model.loss(task, batch) * (len(batch["labels"]) / len(positions))
                (share * loss).backward()
                total += float(loss.detach())
            return float(self._added(torch.tensor(total, dtype=torch.float64)))

    def _cached(self, task: str, batches: list[Any], number: int, share: float) -> float:
        """The loss over all vectors first, without a graph; then its gradient through each part,
        with the random numbers that the part had.
        """
        states, queries, codes = [], [], []
        for batch in batches:
            states.append(_random_state())
            with torch.no_grad():
                query, code = self.model(task, batch).chunk(2)
            queries.append(query)
            codes.append(code)
        sizes = [len(p) for p in np.array_split(range(number), self.args.world_size)]
        at = sum(sizes[: self._rank])
        together = [self._gathered(part, number, at) for part in (queries, codes)]
        loss = ranking_loss(*together)
        gradients = torch.autograd.grad(loss, together)
        after = _random_state()
        for state, batch in zip(states, batches, strict=True):
            _restore_random(state)
            end = at + len(batch["labels"])
            parts = self.model(task, batch).chunk(2)
            pulled = [(v * g[at:end]).sum() for v, g in zip(parts, gradients, strict=True)]
            (share * (pulled[0] + pulled[1])).backward()
            at = end
        _restore_random(after)
        return float(loss.detach())

    def _gathered(self, parts: list[torch.Tensor], number: int, at: int) -> torch.Tensor:
        """Vectors of all processes, in the order of the batch, as a leaf."""
        width = self.model.heads[next(iter(self._step))]  # any parameter tells type and device
        like = parts[0] if parts else next(width.parameters())
        whole = like.new_zeros((number, like.shape[-1]))
        if parts:
            mine = torch.cat(parts)
            whole[at : at + len(mine)] = mine
        return self._added(whole).requires_grad_()

    @property
    def _rank(self) -> int:
        return int(self.args.process_index)

    def _added(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over processes."""
        if self.args.world_size > 1:
            values = values.to(self.args.device)
            torch.distributed.all_reduce(values)
        return values

    def _add_up_gradients(self) -> None:
        if self.args.world_size == 1:
            return
        trained = [p for p in self.model.parameters() if p.requires_grad]
        has = self._added(torch.tensor([float(p.grad is not None) for p in trained]))
        for p, count in zip(trained, has.tolist(), strict=True):
            if count:
                p.grad = torch.zeros_like(p) if p.grad is None else p.grad
                torch.distributed.all_reduce(p.grad)

    def step_losses(self) -> tuple[np.ndarray, float]:
        """Mean loss of each task in the step, and the loss that was trained on."""
        losses = np.array([self._losses.get(name, math.nan) for name in self.names])
        return losses, self._loss

    def was_seen(self, name: str) -> bool:
        """Whether the step held a batch of a task."""
        return name in self._step

    def step_rows(self) -> str:
        """Examples by task."""
        found = {t: [self.data[t].ids[i] for i in some] for t, some in self._step.items()}
        return "; ".join(f"{t}: {', '.join(ids[:4])} …" for t, ids in found.items())

    def rate(self) -> float:
        """The learning rate that the step was taken with."""
        return self._rate

    # ------------------------------------------------------------ epochs

    def validation_losses(self, limit: int | None = None) -> np.ndarray:
        """Mean validation loss of each task, over `limit` examples at most."""
        device = str(self.args.device)
        some = {t: d.subsample_evenly(limit or 0) for t, d in self.valid.items()}
        found = self.agreed({t: outputs(self.model, some[t], device=device)[0] for t in self.names})
        self.finite(f"after step {self.state.global_step}", found)
        result: np.ndarray = np.array([found[t] for t in self.names])
        return result

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """After an epoch: validation scores, the rule's new weights, the best model so far, the
        tasks that stop.
        """
        losses = {t: self.sums[t] / self.counts[t] for t in self.names if t in self.counts}
        self.rule.after_epoch(np.array([losses.get(t, math.nan) for t in self.names]))
        with self.ledger.evaluation():
            found = {
                t: evaluate(self.model, d, device=str(self.args.device))
                for t, d in self.valid.items()
            }
        found = self.agreed(found)
        chosen = {t: float(found[t][SELECTION[self.valid[t].head]]) for t in self.names}
        combined = sum(chosen.values()) / len(self.names)
        metrics = {f"eval_loss_{t}": found[t]["loss"] for t in self.names}
        metrics |= {f"eval_selection_{t}": value for t, value in chosen.items()}
        metrics |= {"eval_selection": combined}
        metrics["eval_loss"] = sum(found[t]["loss"] for t in self.names) / len(self.names)
        epoch = len(self.history) + 1
        self.finite(f"after epoch {epoch}", {t: found[t]["loss"] for t in self.names})
        if combined > self.best:
            self.best, self.best_epoch, self.best_sha256 = combined, epoch, _digest(self.model)
            if self.is_world_process_zero():
                self.model.save(self.folder / BEST)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        weights = dict(zip(self.names, map(float, self.rule.weights()), strict=True))
        self.history.append(
            {
                "epoch": epoch,
                "valid": found,
                "train_loss": losses,
                "weights": weights,
                "collapsed": collapsed(weights),
                "stopped": sorted(self.stopped),
                "combined": combined,
            }
        )
        self.sums, self.counts = {}, {}
        self.control.should_training_stop |= self.done
        return metrics

    @property
    def done(self) -> bool:
        """Whether nothing is left to train."""
        whole = len(self.history) == self.settings.epochs
        return whole or self.stopped >= set(self.names) or self._rises()

    def _rises(self) -> bool:
        number = self.settings.stop_on_rising_loss
        if not number or len(self.history) <= number:
            return False
        last = [epoch["valid"] for epoch in self.history[-number - 1 :]]
        labels = [t for t in self.names if self.valid[t].head != RANKING]
        return any(all(b[t]["loss"] > a[t]["loss"] for a, b in pairwise(last)) for t in labels)

    def outcome(self, test: Data) -> Outcome:
        """Reload the best checkpoint, make sure that it is what was saved, test it, and write the
        loss curve into the seed's folder.

        Raises:
            MtpeftError: The reloaded weights are others than those that were saved.
        """
        if self.args.world_size > 1:
            torch.distributed.barrier()
        self.model.load(self.folder / BEST)
        if (again := _digest(self.model)) != self.best_sha256:
            raise MtpeftError(
                f"the checkpoint of epoch {self.best_epoch} has other weights after reloading "
                f"({again[:12]})",
                f"{self.best_sha256[:12]}, as when saved",
                f"rm -r {shown(self.folder)}, then train again",
            )
        if self.is_world_process_zero():
            for said in unlearned(self.history[self.best_epoch - 1]["valid"], self.valid):
                print(
                    f"train {self.folder.parent.name}: epoch {self.best_epoch} was chosen, {said}"
                )
        with self.ledger.evaluation():
            final = {
                t: evaluate(self.model, d, device=str(self.args.device)) for t, d in test.items()
            }
        if self.is_world_process_zero():
            columns = list(self.curve[0])
            rows = ([row[c] for c in columns] for row in self.curve)
            write_atomic(self.folder / "loss_curve.csv", csv_text(columns, rows))
        cost = {"device": self.opening, **self.ledger.summary(self.args.world_size)}
        return Outcome(self.settings.seed, self.best_epoch, self.best, final, self.history, cost)

    # ------------------------------------------------------------ checkpoints

    def more_state(self) -> dict[str, Any]:
        """The sampler's place and how far the run has come."""
        return {
            "sampler": self._place,
            "history": self.history,
            "recent": {t: [int(i) for i in some] for t, some in self._recent.items()},
            "sums": self.sums,
            "counts": self.counts,
            "best": [self.best, self.best_epoch, self.best_sha256],
        }

    def take_up(self, state: dict[str, Any]) -> None:
        """Go to that place."""
        self._place, self._ahead = state["sampler"], None
        self._recent = state["recent"]
        self.history, self.sums, self.counts = state["history"], state["sums"], state["counts"]
        self.best, self.best_epoch, self.best_sha256 = state["best"]

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        if self.args.should_save:
            self.model.save(Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self.model.load(Path(resume_from_checkpoint))


class _Saving(TrainerCallback):
    """A checkpoint after each epoch, and every `steps` steps within it."""

    def __init__(self, per_epoch: int, steps: int) -> None:
        self._per_epoch, self._steps = per_epoch, steps

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        within = state.global_step % self._per_epoch
        if self._steps and within and within % self._steps == 0:
            control.should_save = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_save = True


def _digest(model: SharedModel) -> str:
    """Hash of the trained weights."""
    digest = hashlib.sha256()
    for name, p in model.named_parameters():
        if p.requires_grad:
            digest.update(name.encode())
            digest.update(p.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()


def _random_state() -> tuple[torch.Tensor, list[torch.Tensor]]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return torch.get_rng_state(), cuda


def _restore_random(state: tuple[torch.Tensor, list[torch.Tensor]]) -> None:
    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])


def _pretend_full(model: SharedModel, rows: int) -> None:
    forward = model.forward

    def limited(task: str, batch: Any) -> Any:
        if model.training and len(batch["labels"]) > rows:
            raise torch.OutOfMemoryError(f"pretended: {len(batch['labels'])} examples")
        return forward(task, batch)

    model.forward = limited  # type: ignore[method-assign]


def unlearned(found: Mapping[str, Mapping[str, float]], data: Data) -> list[str]:
    """Tasks that a model does no better than without one; the mean that chooses an epoch hides them.

    Args:
        found: The scores of each task.
        data: The examples that gave them.
    """
    said = []
    for task, some in data.items():
        name = SELECTION[some.head]
        if some.head == RANKING:
            what, least = "a random order", random_ranking(len(some))
        else:
            answers = {who: them[name] for who, them in trivial(some.labels).items()}
            what = max(answers, key=lambda who: answers[who])
            least = answers[what]
        if not found[task][name] > least:
            said.append(
                f"though its {name} of {task} is {found[task][name]:.4f}, {what} {least:.4f}"
            )
    return said


def over_seeds(outcomes: list[Outcome], task: str, metric: str) -> tuple[float, float, int]:
    """Mean, standard deviation (with n − 1) and number of a test value over seeds; the deviation of
    one seed is NaN.

    Args:
        outcomes: One for each seed.
        task: The task.
        metric: Of its test scores.
    """
    values = [o.test[task][metric] for o in outcomes]
    mean = sum(values) / len(values)
    if len(values) == 1:
        return mean, math.nan, 1
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return mean, spread, len(values)


def positive_weights(train: Data) -> dict[str, float]:
    """How much a positive counts in training, by label task: negatives / positives where that
    exceeds 2, else 1 (the revision's rule).
    """
    return {t: positive_weight(d.labels) for t, d in train.items() if d.head != RANKING}
