"""The same runs behind vLLM's own server, as a command line.

vLLM serves adapters by name on one resident base, but knows no tasks: a run has its one name, and
the client writes the task's prompt.
"""

import json
import sys
from pathlib import Path

from mtpeft.core.errors import MtpeftError
from mtpeft.inference.serve.models import Model, Weights
from mtpeft.inference.vllm_backend import rank_of, room_for

KEY = "VLLM_API_KEY"
"""The environment variable in which vLLM looks for the key that clients must show."""
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM 0.27.1 offers as the largest rank of its adapters; the command is shown without it too."""


def command(
    weights: list[Weights], models: list[Model], dtype: str, host: str, port: int
) -> list[str]:
    """The program and its arguments.

    Args:
        weights: What is loaded: one base, for a vLLM server has one.
        models: The names; those of tasks are left out.
        dtype: Torch's name of the type of weights that are not quantized.
        host: The address to listen at.
        port: Its port.

    Raises:
        MtpeftError: There is more than one base, or a rank that vLLM does not take.
    """
    if len(weights) != 1:
        raise MtpeftError(
            f"{len(weights)} models: {', '.join(w.source for w in weights)}",
            "runs with one base model, for vLLM serves one",
            "name fewer runs, or --backend transformers",
        )
    (base,) = weights
    names = [m.name for m in models if not m.task and not m.adapter]
    made = [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", base.source]
    made += ["--host", host, "--port", str(port), "--dtype", dtype, "--seed", "0"]
    made += ["--served-model-name", *names]
    # Greedy decoding unless the client asks for another, as the other backend does.
    made += ["--generation-config", "vllm"]
    made += ["--override-generation-config", '{"temperature": 0.0}']
    if base.four_bit:
        made += ["--quantization", "bitsandbytes"]
    if base.adapters:
        rank = max(map(rank_of, base.adapters.values()))
        made += ["--enable-lora", "--max-loras", str(len(base.adapters))]
        made += ["--max-lora-rank", str(room_for(rank, RANKS)), "--lora-modules"]
        made += [_module(name, folder.resolve()) for name, folder in base.adapters.items()]
    return made


def _module(name: str, folder: Path) -> str:
    """An adapter as vLLM reads it: NAME=PATH, or as JSON where a comma would make it take it for
    that.
    """
    short = f"{name}={folder}"
    return json.dumps({"name": name, "path": str(folder)}) if "," in short else short
