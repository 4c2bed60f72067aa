"""One of two processes that train a tiny run together (started by torchrun from test_training.py):
BACKBONE ROOT METHOD SETTINGS.

accelerate shards a model (FSDP) on accelerators only. Here it is made to take a CPU for one, so
that the code that several GPUs would run is run; the script says of what kind the parameters were,
so that nobody takes replicated ones for sharded.
"""

import json
import os
import sys
import time
from pathlib import Path

from accelerate import state
from accelerate.utils import DistributedType
from mtpeft.inference import generate
from mtpeft.tuning import selection
from mtpeft.tuning.objective import tokens
from mtpeft.tuning.train import train
from tiny_backbone import job


def shard_on_cpus() -> None:
    """Let accelerate's state take up FSDP where it would find several CPU processes."""
    original = state.AcceleratorState.__init__

    def init(self, *positional, fsdp_plugin=None, **named) -> None:
        original(self, *positional, fsdp_plugin=fsdp_plugin, **named)
        if fsdp_plugin is not None and self.distributed_type == DistributedType.MULTI_CPU:
            self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin
            state.PartialState._shared_state["distributed_type"] = DistributedType.FSDP

    state.AcceleratorState.__init__ = init


def tell_kind_of_parameters() -> None:
    """Print the type of the model's parameters at every validation."""
    original = tokens.TokensTrainer.validation_losses

    def told(self, limit=None):
        one = next(self.model.parameters())
        print("parameters:", type(one).__name__, one.dtype, flush=True)
        return original(self, limit)

    tokens.TokensTrainer.validation_losses = told


def answer_apart(model, tokenizer, prompts, new_tokens):
    """Answers of which the second process's get better and the first one's do not."""
    answer_apart.calls += 1
    better = ["int"] * answer_apart.calls if os.environ["RANK"] == "1" else ["x"]
    return [" ".join(better)] * len(prompts)


answer_apart.calls = 0


def end_at_once() -> None:
    """Let the second process's model end every answer with its first token."""
    original = generate._Scores.__call__

    def ends(self, ids, scores):
        scores = original(self, ids, scores).clone()
        scores[:, 2 if os.environ["RANK"] == "1" else 5] = 1e4  # 2 ends an answer
        return scores

    generate._Scores.__call__ = ends
    selection.new_tokens = lambda task: 20


def save_late() -> None:
    """Let the second process be late with its random numbers, and print whether they are there when
    the first one calls a checkpoint complete.
    """
    save, state = tokens.TokensTrainer._save_rng_state, tokens.TokensTrainer.more_state

    def late(self, folder):
        if os.environ["RANK"] == "1":
            time.sleep(2)
        save(self, folder)

    def complete(self):
        print("random numbers:", len(list(Path(self.args.output_dir).glob("*/rng_state_1.pth"))))
        return state(self)

    tokens.TokensTrainer._save_rng_state, tokens.TokensTrainer.more_state = late, complete


if __name__ == "__main__":
    backbone, root, method, settings = sys.argv[1:]
    shard_on_cpus()
    tell_kind_of_parameters()
    chosen = json.loads(settings)
    stop, part = chosen.pop("stop_at", None), chosen.pop("part", "")
    made = job(Path(backbone), Path(root), method, **chosen)
    if part == "late":
        save_late()
    if part == "end":
        end_at_once()
    answer = {"answers": answer_apart, "end": generate.texts}.get(part)
    train(made, stop_at=stop, generate=answer)
