"""What happens between optimizer steps: recording, CoBa's validation, stopping tasks, writing as
the run goes.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from mtpeft.tuning.trainer import MultiTaskTrainer

SMALL_VALIDATION = 8  # rows a task for a balancing rule that looks at validation often


class Recorder(TrainerCallback):
    """One row of the loss curve a step, to TensorBoard and to people: every `logging_steps`, in a
    log at most twice a minute.

    Args:
        trainer: The trainer, which keeps the curve.
        board: Folder of TensorBoard's files.
        validate_every: Steps from one validation for the balancing rule to the next (0: none).
        title: What is trained, for people.
    """

    def __init__(
        self, trainer: MultiTaskTrainer, board: Path, validate_every: int, title: str
    ) -> None:
        self._trainer, self._board_folder, self._every, self._title = (
            trainer,
            board,
            validate_every,
            title,
        )
        self._board: Any = None
        self._start = self._said = time.monotonic()
        self._begun = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._begun = state.global_step
        self._trainer.check()
        if state.is_world_process_zero:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(
                log_dir=str(self._board_folder), purge_step=state.global_step or None
            )
        if self._trainer.rule.needs_validation and state.global_step == 0:
            self._validate()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        row = self._trainer.finish_step()
        self._trainer.ledger.end_step()
        if self._trainer.rule.needs_validation and state.global_step % self._every == 0:
            self._validate()
        if self._board is not None:
            for name, value in row.items():
                if name != "step" and value is not None:
                    self._board.add_scalar(f"train/{name}", value, row["step"])
            if state.global_step % args.logging_steps == 0:
                self._say(state.global_step, state.max_steps, row["loss"])

    def _validate(self) -> None:
        with self._trainer.ledger.evaluation():  # no step's time, and paid for all the same
            losses = self._trainer.validation_losses(SMALL_VALIDATION)
        self._trainer.rule.after_validation(losses)

    def _say(self, step: int, steps: int, loss: float) -> None:
        now = time.monotonic()
        if now - self._said >= (0 if sys.stderr.isatty() else 30):
            self._said = now
            left = (now - self._start) / (step - self._begun) * (steps - step)
            print(
                f"train {self._title}: step {step} of {steps}, loss {loss:.4f}, about {left:.0f} s left",
                file=sys.stderr,
            )

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float] | None = None, **_: Any
    ) -> None:
        if self._board is not None:
            for name, value in (metrics or {}).items():
                self._board.add_scalar(name.replace("eval_", "eval/", 1), value, state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._board is not None:
            self._board.close()


class PerTaskStopping(TrainerCallback, ExportableState):
    """A task whose selection metric has not improved for some evaluations is no longer supervised.

    Its tokens stay in the plan (the order of the others must not change), without labels. The run
    ends when every task has stopped.

    Args:
        trainer: The trainer.
        patience: Evaluations without an improvement.
        threshold: By how much the metric must exceed the best one to be an improvement.
    """

    def __init__(self, trainer: MultiTaskTrainer, patience: int, threshold: float) -> None:
        self._trainer, self._patience, self._threshold = trainer, patience, threshold
        self.best: dict[str, float] = {}
        self.waited: dict[str, int] = {}

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float] | None = None, **_: Any
    ) -> None:
        for name in self._trainer.names:
            value = (metrics or {}).get(f"eval_selection_{name}")
            if value is None or name in self._trainer.stopped:
                continue
            if name not in self.best or value > self.best[name] + self._threshold:
                self.best[name], self.waited[name] = value, 0
            else:
                self.waited[name] = self.waited.get(name, 0) + 1
                if self.waited[name] >= self._patience:
                    self._trainer.stopped.add(name)
        if self._trainer.stopped >= set(self._trainer.names):
            control.should_training_stop = True

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"args": {}, "attributes": {"best": self.best, "waited": self.waited}}

    def restore(self, checkpoint: Path) -> None:
        """Take up the state in a checkpoint's `trainer_state.json`."""
        saved = json.loads((checkpoint / "trainer_state.json").read_text())[
            "stateful_callbacks"
        ].get("PerTaskStopping")
        if saved:
            self.best, self.waited = saved["attributes"]["best"], saved["attributes"]["waited"]


class StopAt(TrainerCallback):
    """End after a step as a killed process would (for tests)."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop |= state.global_step >= self._step
