"""Tuning a causal language model on rows of tokens."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import SequentialSampler

from mtpeft.catalog import Backbone, catalog
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.corpora.weights import revision_of
from mtpeft.models.base import attention_of, load_causal, load_tokenizer, longest_input
from mtpeft.models.device import local
from mtpeft.models.methods import method_module, trains_whole
from mtpeft.models.nf4 import keep_layout, quantisation
from mtpeft.tasks import wording
from mtpeft.tuning import conflict, identity, selection
from mtpeft.tuning.balancing import balancing
from mtpeft.tuning.callbacks import PerTaskStopping, Recorder, StopAt
from mtpeft.tuning.compiling import compiled, prove, uncompiled
from mtpeft.tuning.job import Job
from mtpeft.tuning.loss import install
from mtpeft.tuning.once import CHECKPOINTS, on_each
from mtpeft.tuning.plan import IGNORED, PADDED, Plan, collate, plan, validation_plan
from mtpeft.tuning.seeding import seed_everything
from mtpeft.tuning.settings import Settings, how
from mtpeft.tuning.store import tokenized
from mtpeft.tuning.trainer import MultiTaskTrainer, arguments, last_checkpoint, opening
from mtpeft.tuning.watching import watched

Generate = Callable[..., list[str]]
Metrics = Callable[[Any, int], dict[str, float]]


class TokensTrainer(MultiTaskTrainer):
    """A trainer whose data set is a `Plan`.

    Args:
        validation: The plan of each task's validation rows.
        metrics: Called with model and step at every evaluation; its result is merged into the
            evaluation's.
        padding: The token that fills a batch up.
        mixed_precision: Compute in bfloat16 on weights of whatever type.
        layers: Those that are compiled.
        must_compile: Whether it is an error where they are not the same function.
        more: As in `MultiTaskTrainer`.
    """

    def __init__(
        self,
        *,
        validation: dict[str, Plan],
        metrics: Metrics | None,
        padding: int,
        mixed_precision: bool,
        layers: Sequence[Any] = (),
        must_compile: bool = False,
        **more: Any,
    ) -> None:
        self.mixed_precision, self.layers, self.must_compile = mixed_precision, layers, must_compile
        # Flash attention takes positions for no mask; it is told where a sequence begins.
        self.flat = attention_of(more["model"]).startswith("flash")
        super().__init__(data_collator=self._batch, **more)
        self.validation, self.metrics, self.padding = validation, metrics, padding
        self.loss_is_scaled_for_ga = True  # factors are over the whole batch already
        self._counts = np.zeros(len(self.names))
        self._micro_batches = 1
        self._batches: list[dict[str, Any]] = []
        self._rows: dict[int, torch.Tensor] = {}
        self._left = 0
        self._only: int | None = None
        self._sums = torch.zeros(2, len(self.names), dtype=torch.float64)

    # ------------------------------------------------------------ data

    def _batch(self, rows: list[dict[str, np.ndarray]]) -> dict[str, Any]:
        return collate(rows, self.padding, self.flat)

    def _get_train_sampler(self, *_: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["input_ids", "labels", "position_ids", "token_tasks"]

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], None]:
        """Draw the micro-batches of one optimizer step and count their supervised tokens over all
        processes.
        """
        self.ledger.begin_step()
        batches = []
        for _ in range(num_batches):
            try:
                batches.append(next(epoch_iterator))
            except StopIteration:
                break
        totals = torch.zeros(3, len(self.names), dtype=torch.float64)
        for batch in batches:
            self._silence(batch)
            tasks, kept = batch["token_tasks"], batch["labels"][:, 1:] != IGNORED
            totals[0] += _count(tasks[:, 1:][kept], len(self.names))
            own = _count(tasks[tasks != PADDED], len(self.names))
            totals[1] += own
            totals[2] += own * (tasks.numel() / own.sum())  # padding is shared as tokens are
        supervised, tokens, padded = self._summed(totals).numpy()
        self._counts = supervised
        for i, name in enumerate(self.names):
            self.ledger.seen(name, int(tokens[i]), round(padded[i]), int(supervised[i]))
        self._micro_batches = len(batches) * self.args.world_size
        self._batches, self._rows = batches, {}
        self._left = len(batches)
        self.look_at_conflicts()
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
        summed: torch.Tensor = self.accelerator.reduce(values.to(self.args.device), reduction="sum")
        return summed.cpu()

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
        if self._only is not None:
            factors = np.where(np.arange(len(factors)) == self._only, factors, 0.0)
        given = torch.tensor(factors, dtype=torch.float32, device=inputs["labels"].device)
        out = model(**inputs, task_factors=given)
        told = torch.stack([out["task_sums"], out["task_counts"]]).to(self._sums)
        if self._only is not None:
            told[:, np.arange(len(factors)) != self._only] = 0.0
        self._sums += told
        loss = out["loss"] * self.args.world_size
        return (loss, out) if return_outputs else loss

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Of one micro-batch; where a rule combines gradients, a pass for each task of the step."""
        if self.aggregator is None:
            return super().training_step(model, inputs, num_items_in_batch)
        total, parameters = torch.zeros((), device=self.args.device), self.shared_parameters()
        for number in map(int, np.flatnonzero(self._counts)):
            self._only = number
            total += super().training_step(model, dict(inputs), num_items_in_batch)
            row = conflict.take(parameters)
            self._rows[number] = self._rows.get(number, 0) + row
        self._only = None
        self._left -= 1
        if not self._left and self._rows:
            rows = torch.stack([row for _, row in sorted(self._rows.items())])
            conflict.put(self.aggregator.combined(rows), parameters)
        return total

    def shared_parameters(self) -> list[torch.nn.Parameter]:
        """All that are trained: every task passes them."""
        return [p for p in self.model.parameters() if p.requires_grad]

    def task_gradient(self, name: str) -> torch.Tensor | None:
        """On the rows of the step."""
        number = self.names.index(name)
        if not self._counts[number]:
            return None
        random, parameters = torch.get_rng_state(), self.shared_parameters()
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        ones = torch.zeros(len(self.names), device=self.args.device)
        ones[number] = 1 / self._counts[number]
        total = torch.zeros(sum(p.numel() for p in parameters), device=self.args.device)
        self.model.train()
        for batch in self._batches:
            with self.compute_loss_context_manager():
                out = self.model(**self._prepare_inputs(dict(batch)), task_factors=ones)
            made = torch.autograd.grad(out["loss"], parameters, allow_unused=True)
            total += conflict.flat(made, parameters)
        torch.set_rng_state(random)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        return total

    def step_losses(self) -> tuple[np.ndarray, float]:
        """Means over supervised tokens of the whole batch."""
        sums, counts = self._summed(self._sums).numpy()
        losses = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        factors = self.rule.factors(counts, int(counts.sum()), 1)
        return losses, float((factors * sums).sum())

    def was_seen(self, name: str) -> bool:
        """Whether the step had supervised tokens of a task."""
        return bool(self._counts[self.names.index(name)])

    def step_rows(self) -> str:
        """Row numbers of the plan."""
        size = self.args.train_batch_size * self._micro_batches
        last = self.state.global_step * size
        return f"rows {last - size} to {last - 1} of the plan"

    def autocast_smart_context_manager(self, cache_enabled: bool | None = True) -> Any:
        """Mixed precision by torch itself: accelerate would make the weights float32, too, but only
        where a model is sharded.
        """
        return torch.autocast(
            self.args.device.type,
            torch.bfloat16,
            enabled=self.mixed_precision,
            cache_enabled=cache_enabled,
        )

    def check(self) -> None:
        """Make sure, on the kernel that trains, that no example of a batch sees another one: other
        tokens in every second sequence leave the states behind the rest as they are.

        The rows are those with the most sequences: among a plan's first there may be none with two.

        Raises:
            MtpeftError: They do not.
        """
        most = np.argsort(-np.diff(self.train_dataset.rows), kind="stable")
        batch = self._batch([self.train_dataset[i] for i in most[: self.args.train_batch_size]])
        if self.layers:
            self.layers = self._proved(batch)
        odd = (batch["position_ids"] == 0).cumsum(1) % 2 == 1
        batch["labels"] = torch.where(odd, IGNORED, batch["labels"])
        if not bool((batch["labels"][:, 1:] != IGNORED).any()):
            return
        other = torch.where(odd, batch["input_ids"].flip(1), batch["input_ids"])
        ones, training = torch.ones(len(self.names), device=self.args.device), self.model.training
        states: list[torch.Tensor] = []
        output = self.accelerator.unwrap_model(self.model).get_output_embeddings()
        seen = output.register_forward_pre_hook(lambda _, given: states.append(given[0].detach()))
        self.model.eval()
        with torch.no_grad(), self.compute_loss_context_manager():
            for ids in (batch["input_ids"], other):
                self.model(**self._prepare_inputs({**batch, "input_ids": ids}), task_factors=ones)
        self.model.train(training)
        seen.remove()
        before, after = (
            torch.cat(s) for s in (states[: len(states) // 2], states[len(states) // 2 :])
        )
        # Equal to the bit on most kernels; a mixture of experts adds up in another order.
        rounding = 4 * torch.finfo(before.dtype).eps * before.abs().max()
        if not bool(((before - after).abs() <= rounding).all()):
            kernel = attention_of(self.model)
            raise MtpeftError(
                f"with attention {kernel} packed examples see each other",
                "attention within an example only",
                f"--set {'packing=none' if kernel in ('sdpa', 'eager') else 'attention=sdpa'}",
            )

    def _proved(self, batch: dict[str, Any]) -> list[Any]:
        """The compiled layers that stay so, by the loss of a batch and the gradients in the first and
        last of them: the first one's have passed all others.
        """
        ends = (self.layers[0], self.layers[-1])
        some = [p for layer in ends for p in layer.parameters() if p.requires_grad]
        share = torch.full((len(self.names),), 1 / batch["labels"].numel(), device=self.args.device)

        def passed() -> list[torch.Tensor]:
            with self.compute_loss_context_manager():
                out = self.model(**self._prepare_inputs(dict(batch)), task_factors=share)
            made = torch.autograd.grad(out["loss"], some, allow_unused=True)
            return [out["loss"].detach(), conflict.flat(made, some)]

        kinds = {p.dtype for p in self.model.parameters() if p.is_floating_point()}
        kinds |= {torch.bfloat16} if self.mixed_precision else set()
        resolution = max(torch.finfo(kind).eps for kind in kinds)
        training = self.model.training
        self.model.eval()
        kept = prove(list(self.layers), passed, resolution, self.must_compile)
        self.model.train(training)
        return kept

    # ------------------------------------------------------------ validation

    def validation_losses(self, limit: int | None = None) -> np.ndarray:
        """Mean cross entropy of each task over (the first `limit` rows of) its validation plan."""
        model = self.model
        model.eval()
        sums = torch.zeros(2, len(self.names), dtype=torch.float64)
        ones = torch.ones(len(self.names))
        with torch.no_grad(), self.compute_loss_context_manager():
            for rows in self.validation.values():
                size = self.args.per_device_eval_batch_size
                total = min(len(rows), limit or len(rows))
                for start in range(0, total, size * self.args.world_size):
                    first = start + self.args.process_index * size
                    mine = range(first, min(first + size, total))
                    # A sharded model runs on all processes or on none: one that has no rows left
                    # runs another's, uncounted.
                    batch = self._prepare_inputs(self._batch([rows[i] for i in mine or [0]]))
                    out = model(**batch, task_factors=ones.to(batch["labels"].device))
                    if mine:
                        sums += torch.stack([out["task_sums"], out["task_counts"]]).cpu()
        model.train()
        summed, counts = self._summed(sums).numpy()
        result: np.ndarray = np.where(counts > 0, summed / np.maximum(counts, 1), np.nan)
        seen = {n: v for n, v, c in zip(self.names, result, counts, strict=True) if c}
        self.finite(f"after step {self.state.global_step}", seen)
        return result

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Validation loss a task, their mean, and the selection metrics; logged, and given to the
        callbacks.
        """
        with self.ledger.evaluation(), uncompiled():
            losses = self.validation_losses()
            metrics = {f"eval_loss_{name}": float(losses[i]) for i, name in enumerate(self.names)}
            metrics["eval_loss"] = float(np.nanmean(losses))
            if self.metrics is not None:
                random = torch.get_rng_state()
                with self.compute_loss_context_manager():
                    metrics.update(self.metrics(self.model, self.state.global_step))
                torch.set_rng_state(random)
            metrics = self.agreed(metrics)
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return dict(metrics)


def _count(tasks: torch.Tensor, number: int) -> torch.Tensor:
    return torch.bincount(tasks.flatten().cpu(), minlength=number).to(torch.float64)


def prepare(
    method_id: str,
    source: str,
    settings: Settings,
    device: str = "cpu",
    backbone: Backbone | None = None,
) -> Any:
    """The model to train.

    Args:
        method_id: Of the method that is attached.
        source: Folder of the base model.
        settings: Of the run.
        device: As torch names it.
        backbone: The base's entry in the catalog, where it has one.

    Raises:
        MtpeftError: Every weight is to be trained, and they are 4-bit.
    """
    method = catalog().get("methods", method_id)
    four_bit = settings.weights == "nf4"
    if four_bit and trains_whole(method):
        raise MtpeftError(
            f"weights are nf4, but {method.id} trains every weight",
            "bfloat16, float16 or float32",
            "--set weights=bfloat16",
        )
    model = load_causal(
        source,
        dtype=settings.compute_dtype if four_bit else settings.weights,
        attention_name=settings.attention,
        device=device,
        quantisation=quantisation(settings.compute_dtype, settings.double_quantisation)
        if four_bit
        else None,
        liger=settings.liger,
        mixed=settings.mixed_precision == "bf16",
    )
    known = backbone or Backbone("", "", "", "", "", "decoder")
    attached = method_module(method).attach(
        keep_layout(model) if four_bit else model, known, how(settings)
    )
    return attached.encoder


def fit(
    job: Job,
    settings: Settings,
    generate: Generate | None = None,
    stop_at: int | None = None,
    fail_at_rows: int | None = None,
) -> tuple[TokensTrainer, Any, str] | None:
    """Train a job from its last checkpoint, where there is one.

    Args:
        job: What to train.
        settings: Of this process.
        generate: How text is generated for selection.
        stop_at: End after this optimizer step as a killed process would (for tests).
        fail_at_rows: Pretend that a micro-batch of more rows than this does not fit into memory
            (for tests).

    Returns:
        Trainer, tokenizer and hash of the data's order; None where it was stopped before its end.

    Raises:
        MtpeftError: There is nothing to train on, or a setting cannot be served.
    """
    from transformers import EarlyStoppingCallback, PrinterCallback

    seed_everything(settings.seed)
    tokenizer = load_tokenizer(job.source)
    words = wording(settings.wording, job.run.regime)
    whole = settings.packing == "wrapped"
    layout: dict[str, Any] = {"joined": whole, "longest": None if whole else settings.max_length}
    store = tokenized(job.train, tokenizer, words, **layout)
    _fits(job.source, settings.max_length if whole else int(store.lengths.max()))
    multiple = settings.batch_size * settings.gradient_accumulation
    settings = on_each(settings, identity.processes())
    rows = plan(store, settings, multiple)
    if not len(rows):
        raise MtpeftError(
            f"{job.run.id}: {len(store.tokens)} tokens fill no row of {settings.max_length}",
            "at least one row",
            "--set max_length=N with a smaller one",
        )
    if settings.evaluations:
        # Not by this process's micro-batch, which depends on the machine.
        settings = replace(settings, **watched(job.settings, len(rows), store.names))
    args = _arguments(job, settings)
    validation, metrics = {}, None
    every = int(settings.balancing_options.get("every", 10))
    options = {k: v for k, v in settings.balancing_options.items() if k != "every"}
    rule = balancing(settings.balancing, len(store.names), **options)
    if settings.eval_steps or rule.needs_validation:
        for number, task in enumerate(store.names):  # a plan of one task numbers it 0
            some = tokenized({task: job.valid[task]}, tokenizer, words, **layout)
            validation[task] = validation_plan(some, settings, settings.eval_samples)
            validation[task] = replace(
                validation[task], store=replace(some, tasks=np.full_like(some.tasks, number))
            )
        metrics = _metrics(job.valid, settings, tokenizer, words, layout, generate)
    seed_everything(settings.seed)  # the adapter's weights do not depend on what was drawn before
    base = catalog().backbones.get(job.run.backbone)
    model = prepare(job.run.method, job.source, settings, local(), base)
    install(model)
    if fail_at_rows is not None:
        _pretend_full(model, fail_at_rows)
    layers = compiled(model, settings)
    trainer = TokensTrainer(
        model=model,
        layers=layers,
        must_compile=settings.compile == "on",
        args=args,
        train_dataset=rows,
        names=list(store.names),
        rule=rule,
        conflict_every=settings.conflict_every,
        validation=validation,
        metrics=metrics,
        padding=tokenizer.pad_token_id,
        mixed_precision=settings.mixed_precision == "bf16",
        eval_dataset=rows if validation else None,
    )
    trainer.remove_callback(PrinterCallback)  # a raw line a step; the recorder speaks instead
    title = f"{job.run.id} seed {settings.seed}"
    left_out = {"": (store.dropped, len(store))}
    left_out |= {
        f"validation {task} ": (p.store.dropped, len(p.store)) for task, p in validation.items()
    }
    for what, (dropped, stay) in left_out.items():
        if dropped and identity.rank() == 0:
            print(
                f"train {title}: {dropped} of {dropped + stay} {what}examples have more than "
                f"{settings.max_length} tokens and are left out"
            )
    if settings.selection != job.settings.selection and identity.rank() == 0:
        print(
            f"train {title}: {len(rows)} rows are too few to pay for generated text; selected on "
            f"{settings.selection}"
        )
    moved = share_moved(model, settings.learning_rate)
    if moved < 0.5 and identity.rank() == 0:
        print(
            f"train {title}: weights are {settings.weights} without a float32 copy: a step of the "
            f"learning rate's size ({settings.learning_rate:g}) changes {100 * moved:.0f} % of those "
            "that are trained, the rest round it away (--set weights=float32)"
        )
    bf16 = settings.mixed_precision == "bf16"
    trainer.opening = opening(settings, multiple, attention_of(model), title, bf16=bf16)
    trainer.add_callback(Recorder(trainer, job.folder / identity.LOGS, every, title))
    checkpoint = last_checkpoint(job.folder / CHECKPOINTS)
    if checkpoint is not None:
        trainer.restore(checkpoint)
    patience, threshold = settings.early_stopping_patience, settings.early_stopping_threshold
    if settings.per_task_stopping and patience and settings.selection == "generation":
        stopping = PerTaskStopping(trainer, patience, threshold)
        if checkpoint is not None:
            stopping.restore(checkpoint)
        trainer.add_callback(stopping)
    elif patience and settings.selection != "none" and settings.eval_steps:
        trainer.add_callback(EarlyStoppingCallback(patience, threshold))
    if stop_at is not None:
        trainer.add_callback(StopAt(stop_at))
    seed_everything(settings.seed)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint is not None else None)
    if stop_at is not None and trainer.state.global_step < trainer.state.max_steps:
        return None
    trainer.check_weights()
    if identity.rank() == 0:
        for said in unlearned(trainer.state.log_history, trainer.state.best_global_step or 0):
            print(f"train {title}: {said}")
    return trainer, tokenizer, rows.sha256()


def share_moved(model: Any, rate: float) -> float:
    """Share of the trained weights that are another number after a step of one learning rate, which
    is what Adam takes: in 16 bits a step below half the distance to the next number is lost.

    Args:
        model: The model; of a large matrix every so many-th weight is looked at.
        rate: The learning rate.
    """
    moved = total = 0.0
    for p in model.parameters():
        if p.requires_grad:
            some = p.detach().flatten()[:: 1 + p.numel() // 100_000]
            moved += p.numel() * float((some + rate != some).float().mean())
            total += p.numel()
    return moved / total


def unlearned(logged: Sequence[dict[str, Any]], step: int) -> list[str]:
    """Tasks of which the chosen model answers nothing right; the mean that chooses it hides them.

    Args:
        logged: What every evaluation gave.
        step: That was chosen.
    """
    begin = "eval_selection_"
    chosen = [row for row in logged if row.get("step") == step and "eval_selection" in row]
    return [
        f"step {step} was chosen, though no answer of {name.removeprefix(begin)} has a word of its "
        "reference"
        for name, value in (chosen[-1] if chosen else {}).items()
        if name.startswith(begin) and value == 0
    ]


def _fits(source: str, longest: int) -> None:
    """Make sure that a base model has a position for each token of the longest example (where rows
    are cut out of a stream: of a row).
    """
    room = longest_input(source)
    if room is not None and longest > room:
        raise MtpeftError(
            f"{longest} tokens behind one another, and {source} has {room} positions",
            "a position for each token",
            f"--set max_length={room}",
        )


def _arguments(job: Job, s: Settings) -> Any:
    watched = s.eval_steps > 0
    chosen = watched and s.selection != "none"
    # the best checkpoint must have been saved when it was evaluated
    save = s.eval_steps if chosen else s.save_steps
    metric = "eval_loss" if s.selection == "loss" else "eval_selection"
    sharded = identity.processes() > 1 and job.whole
    return arguments(
        job.folder / CHECKPOINTS,
        s,
        per_device_train_batch_size=s.batch_size,
        per_device_eval_batch_size=s.batch_size,
        gradient_accumulation_steps=s.gradient_accumulation,
        learning_rate=s.learning_rate,
        lr_scheduler_type=s.schedule,
        warmup_steps=s.warmup_steps,
        optim=s.optimizer,
        weight_decay=s.weight_decay,
        adam_beta1=s.adam_betas[0],
        adam_beta2=s.adam_betas[1],
        eval_strategy="steps" if watched else "no",
        eval_steps=s.eval_steps or None,
        save_strategy="steps" if save else "no",
        save_steps=save or 500,
        save_total_limit=s.save_total_limit,
        load_best_model_at_end=chosen,
        metric_for_best_model=metric if chosen else None,
        greater_is_better=s.selection != "loss" if chosen else None,
        **({"fsdp": True} if sharded else {}),
    )


def _metrics(
    valid: dict[str, Sequence[Any]],
    s: Settings,
    tokenizer: Any,
    words: Any,
    layout: dict[str, Any],
    generate: Generate | None,
) -> Metrics | None:
    if s.selection == "generation":
        if generate is None:
            raise MtpeftError(
                "selection=generation needs a generate function",
                "one, as `mtpeft train` gives it",
                "--set selection=loss",
            )
        some = {t: examples[: s.selection_samples] for t, examples in valid.items()}
        return selection.generated(some, tokenizer, words, generate)
    if s.selection == "teacher-forced":
        union = validation_plan(tokenized(valid, tokenizer, words, **layout), s, s.eval_samples)
        return selection.teacher_forced(union, tokenizer, list(valid))
    return None


def _pretend_full(model: Any, rows: int) -> None:
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    forward = causal.forward

    def limited(*positional: Any, **named: Any) -> Any:
        if len(named["input_ids"]) > rows:
            raise torch.OutOfMemoryError(f"pretended: {len(named['input_ids'])} rows")
        return forward(*positional, **named)

    causal.forward = limited


def write(job: Job, trainer: TokensTrainer, tokenizer: Any) -> None:
    """Adapter (PEFT's format) or whole model, with its tokenizer."""
    trainer.accelerator.wait_for_everyone()
    model = trainer.accelerator.unwrap_model(trainer.model)
    if trainer.is_fsdp_enabled:
        trainer.save_model(str(job.result))
        # the first process may still be collecting what the others hold
        trainer.accelerator.wait_for_everyone()
    if not trainer.is_world_process_zero():
        return
    if not trainer.is_fsdp_enabled:
        if hasattr(model, "peft_config"):
            model.peft_config["default"].base_model_name_or_path = job.base
            model.peft_config["default"].revision = revision_of(job.source).get("base_revision")
        model.save_pretrained(job.result)
    tokenizer.save_pretrained(job.result)
    _use_cache(job.result)


def _use_cache(folder: Path) -> None:
    """A setting of training is not the model's."""
    path = folder / "config.json"
    if path.is_file():
        config = json.loads(path.read_text(encoding="utf-8"))
        config["use_cache"] = True
        write_atomic(path, json.dumps(config, indent=2, sort_keys=True) + "\n")
