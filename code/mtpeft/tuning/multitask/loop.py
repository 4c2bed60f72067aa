"""Training a shared model: sampler, weights, stopping task by task, the best checkpoint really
reloaded, several seeds.

A run that is cut off goes on from its last state as if nothing had happened: on a CPU the same
bytes come out.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.tuning import identity
from mtpeft.tuning.multitask.encoding import TaskData
from mtpeft.tuning.multitask.evaluation import evaluate, selected
from mtpeft.tuning.multitask.ledger import Ledger
from mtpeft.tuning.multitask.model import SharedModel
from mtpeft.tuning.multitask.samplers import sampler
from mtpeft.tuning.multitask.weighting import collapsed, weighting
from mtpeft.tuning.seeding import seed_everything

STATE = "state.pt"


@dataclass(frozen=True)
class Options:
    """Knobs of a run; the defaults are the revision's. code_length, query_length: in tokens.

    sampling_exponent: of the temperature sampler; group_by_length: batches of like length (less
    padding, the same passes); early_stopping_patience: evaluations without a better selection
    metric after which a task is no longer trained; valid_examples: of each task, evenly spaced,
    that choose the epoch (0: all); limit_steps: optimizer steps of an epoch at most (0: all);
    save_steps: between two saved states (0: after each epoch only); mixed_precision: bf16 (on a
    GPU) or no.
    """

    batch: int = 32
    epochs: int = 10
    learning_rate: float = 1e-4
    head_learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    gradient_clipping: float = 1.0
    mixed_precision: str = "no"
    code_length: int = 512
    query_length: int = 128
    sampler: str = "temperature"
    sampling_exponent: float = 0.3
    group_by_length: bool = False
    weighting: str = "loss-proportional"
    early_stopping_patience: int = 4
    valid_examples: int = 0
    limit_steps: int = 0
    save_steps: int = 1000
    seeds: list[int] = field(default_factory=lambda: [42])


@dataclass
class Outcome:
    """One seed. best_epoch: by the mean selection metric on validation data; test: of the reloaded
    best checkpoint.

    history: one record an epoch (validation scores, mean training losses, loss weights, tasks
    stopped).
    """

    seed: int
    best_epoch: int
    best_valid: float
    test: dict[str, dict[str, float]]
    history: list[dict[str, Any]]
    cost: dict[str, Any]


@dataclass
class Place:
    """How far a run has come. epoch: in progress, from 1; step: steps taken in it; sums, counts: of
    its losses by task; waited, own_best: evaluations since a task's best selection metric, and that
    metric; done: nothing is left to train.
    """

    epoch: int = 1
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    best: float = -math.inf
    best_epoch: int = 0
    waited: dict[str, int] = field(default_factory=dict)
    own_best: dict[str, float] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    done: bool = False


def train_seeds(
    make: Callable[[int], SharedModel],
    train: Mapping[str, TaskData],
    valid: Mapping[str, TaskData],
    test: Mapping[str, TaskData],
    options: Options,
    folder: Path,
    device: str = "cpu",
    about: Mapping[str, Any] | None = None,
    after: Callable[[SharedModel, Path], None] | None = None,
) -> list[Outcome]:
    """Train once for each seed; `make(seed)` gives the model. Results go to `folder/seed-<n>`.

    A finished seed is not redone and an unfinished one goes on; it is refused where options, data,
    program or `about` (whatever else decides what the model is, as JSON) differ from those that it
    was begun with. after: is handed each newly trained model, best checkpoint loaded, and its
    folder, before the seed counts as finished.
    """
    outcomes = []
    data = {
        split: {task: some.sha256() for task, some in by.items()}
        for split, by in (("train", train), ("valid", valid), ("test", test))
    }
    for seed in options.seeds:
        place = folder / f"seed-{seed}"
        finished = place / "outcome.json"
        wanted = {
            "options": asdict(options) | {"seeds": None},
            "data": data,
            "about": dict(about or {}),
        }
        identity.claim(place, {**wanted, **identity.of_program()}, (finished.name, STATE, "best"))
        if finished.is_file():
            found = json.loads(finished.read_text(encoding="utf-8"))
            identity.unbroken(place, found["files"])
            outcomes.append(Outcome(**found["outcome"]))
            continue
        seed_everything(seed)
        model = make(seed).to(device)
        outcome = fit(model, train, valid, test, options, seed, place, device)
        if after is not None:
            after(model, place)
        files = identity.seal(place, [p for p in (place / "best").rglob("*") if p.is_file()])
        write_atomic(
            finished,
            json.dumps(
                {"made_from": wanted, "outcome": asdict(outcome), "files": files},
                indent=1,
                sort_keys=True,
            )
            + "\n",
        )
        (place / STATE).unlink(missing_ok=True)
        outcomes.append(outcome)
    return outcomes


def fit(
    model: SharedModel,
    train: Mapping[str, TaskData],
    valid: Mapping[str, TaskData],
    test: Mapping[str, TaskData],
    options: Options,
    seed: int,
    folder: Path,
    device: str = "cpu",
) -> Outcome:
    """One run, from its last saved state where there is one (`train_seeds` sees to it that it is
    this run's). The model ends as its best checkpoint. Raises `MtpeftError` where a loss is no
    number, or the reloaded checkpoint does not score what it scored.
    """
    model.bf16 = options.mixed_precision == "bf16"
    run = _Run(model, train, valid, options, seed, folder, device)
    while not run.place.done:
        run.epoch()
    return run.outcome(test)


class _Run:
    """A run in progress."""

    def __init__(
        self,
        model: SharedModel,
        train: Mapping[str, TaskData],
        valid: Mapping[str, TaskData],
        options: Options,
        seed: int,
        folder: Path,
        device: str,
    ) -> None:
        import torch

        self.model, self.train, self.valid, self.options = model, train, valid, options
        self.seed, self.folder, self.device = seed, folder, device
        self.tasks = list(train)
        self.steps_of = sampler(
            options.sampler,
            {t: len(d) for t, d in train.items()},
            options.batch,
            seed,
            options.sampling_exponent,
            {t: d.lengths() for t, d in train.items()} if options.group_by_length else None,
        )
        self.rule = weighting(options.weighting, self.tasks)
        self.per_epoch = min(
            self.steps_of.steps_per_epoch, options.limit_steps or self.steps_of.steps_per_epoch
        )
        self.optimizer = torch.optim.AdamW(
            [
                {"params": model.shared_parameters(), "lr": options.learning_rate},
                {"params": model.head_parameters(), "lr": options.head_learning_rate},
            ],
            weight_decay=options.weight_decay,
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, linear(self.per_epoch * options.epochs, options.warmup_share)
        )
        self.ledger, self.place = Ledger(), Place()
        self._restore()

    def epoch(self) -> None:
        """The rest of the epoch in progress, its validation, and whether another one follows."""
        place, save = self.place, self.options.save_steps
        self.model.train()
        while place.step < self.per_epoch:
            step = self.steps_of.next(frozenset(place.stopped))
            losses = _step(
                self.model,
                self.train,
                step,
                self.rule,
                self.optimizer,
                self.ledger,
                self.options,
                self.device,
            )
            self.rule.after_step(losses, self.optimizer.param_groups[0]["lr"])
            self.schedule.step()
            for task, loss in losses.items():
                place.sums[task], place.counts[task] = (
                    place.sums.get(task, 0.0) + loss,
                    place.counts.get(task, 0) + 1,
                )
            place.step += 1
            if save and place.step % save == 0 and place.step < self.per_epoch:
                self._save()
        means = {
            task: place.sums[task] / place.counts[task]
            for task in self.tasks
            if task in place.counts
        }
        self.rule.after_epoch(means)
        with self.ledger.evaluation():
            scores = {
                task: evaluate(self.model, data, device=self.device)
                for task, data in self.valid.items()
            }
        self._judge(scores, means)
        place.done = place.epoch == self.options.epochs or set(place.stopped) == set(self.tasks)
        place.epoch, place.step, place.sums, place.counts = place.epoch + 1, 0, {}, {}
        self._save()

    def _judge(self, scores: dict[str, dict[str, float]], means: dict[str, float]) -> None:
        """Keep the model where it is the best so far, and stop the tasks that no longer improve."""
        place = self.place
        chosen = {task: selected(self.valid[task], scores[task]) for task in self.tasks}
        for task in self.tasks:
            before = place.own_best.get(task, -math.inf)
            place.waited[task] = 0 if chosen[task] > before else place.waited[task] + 1
            place.own_best[task] = max(before, chosen[task])
        combined = sum(chosen.values()) / len(self.tasks)
        if combined > place.best:
            place.best, place.best_epoch = combined, place.epoch
            self.model.save(self.folder / "best")
        place.stopped = [
            task
            for task in self.tasks
            if task in place.stopped or place.waited[task] >= self.options.early_stopping_patience
        ]
        weights = self.rule.weights()
        place.history.append(
            {
                "epoch": place.epoch,
                "valid": scores,
                "train_loss": means,
                "weights": weights,
                "collapsed": collapsed(weights),
                "stopped": sorted(place.stopped),
                "combined": combined,
            }
        )

    def outcome(self, test: Mapping[str, TaskData]) -> Outcome:
        """Reload the best checkpoint, make sure that it is the one that was chosen, and test it."""
        place, best = self.place, self.folder / "best"
        self.model.load(best)
        with self.ledger.evaluation():
            again = sum(
                selected(d, evaluate(self.model, d, device=self.device))
                for d in self.valid.values()
            ) / len(self.tasks)
            if abs(again - place.best) > 1e-4:
                raise MtpeftError(
                    f"the checkpoint of epoch {place.best_epoch} scores {again:.6f} after reloading",
                    f"{place.best:.6f}, as when saved",
                    f"remove {self.folder} and train again",
                )
            final = {
                task: evaluate(self.model, data, device=self.device) for task, data in test.items()
            }
        return Outcome(
            self.seed, place.best_epoch, place.best, final, place.history, self.ledger.summary()
        )

    # ------------------------------------------------------------ going on where a run was cut off

    def _save(self) -> None:
        """Everything that the next step depends on, in one file, under a temporary name first."""
        import torch

        random = {
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        state = {
            "place": asdict(self.place),
            "sampler": self.steps_of.state(),
            "rule": self.rule.state(),
            "ledger": self.ledger.state(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": random,
            "model": {
                name: p.detach() for name, p in self.model.named_parameters() if p.requires_grad
            },
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{STATE}.part"
        torch.save(state, temporary)
        temporary.replace(self.folder / STATE)

    def _restore(self) -> None:
        import torch

        path = self.folder / STATE
        if not path.is_file():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.place = Place(**state["place"])
        self.steps_of.restore(state["sampler"])
        self.rule.restore(state["rule"])
        self.ledger.restore(state["ledger"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.model.load_state_dict(state["model"], strict=False)
        torch.set_rng_state(state["random"]["cpu"])
        if state["random"]["cuda"]:
            torch.cuda.set_rng_state_all(state["random"]["cuda"])


def _step(
    model: SharedModel,
    train: Mapping[str, TaskData],
    step: Mapping[str, list[int]],
    rule: Any,
    optimizer: Any,
    ledger: Ledger,
    options: Options,
    device: str,
) -> dict[str, float]:
    """One optimizer step; each task's graph is freed before the next one's is built. Returns the
    losses before factors.
    """
    import torch

    factors, losses = rule.factors(list(step)), {}
    optimizer.zero_grad(set_to_none=True)
    for task, positions in step.items():
        inputs = train[task].batch(positions, device)
        with ledger.step(task, inputs["mask"]):
            loss = model.loss(task, inputs)
            (factors[task] * loss).backward()
        losses[task] = float(loss.detach())
        if not math.isfinite(losses[task]):
            raise MtpeftError(
                f"the loss of {task} is {losses[task]}",
                "a finite number",
                "lower the learning rate",
            )
    torch.nn.utils.clip_grad_norm_(
        [p for p in model.parameters() if p.requires_grad], options.gradient_clipping
    )
    optimizer.step()
    return losses


def linear(steps: int, warmup_share: float) -> Callable[[int], float]:
    """Factor of the learning rate: up from 0 over the warm-up, then down to 0 at the last step."""
    warm = max(1, round(steps * warmup_share))
    return lambda step: min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))


def over_seeds(outcomes: list[Outcome], task: str, metric: str) -> tuple[float, float, int]:
    """(mean, standard deviation, number) of a test value over seeds; the deviation of one seed is
    NaN.
    """
    values = [o.test[task][metric] for o in outcomes]
    mean = sum(values) / len(values)
    spread = (
        math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
        if len(values) > 1
        else math.nan
    )
    return mean, spread, len(values)
