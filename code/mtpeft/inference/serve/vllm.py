"""The same runs behind vLLM's own server, as a command line.

vLLM serves adapters by name on one resident base, but knows no tasks: a run has its one name, and
the client writes the task's prompt.
"""

import json
import sys
from pathlib import Path

from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.files import read_text
from mtpeft.inference.serve.models import Model, Weights

KEY = "VLLM_API_KEY"
"""The environment variable in which vLLM looks for the key that clients must show."""
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as the largest rank of its adapters."""


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
        made += ["--max-lora-rank", str(_rounded(rank)), "--lora-modules"]
        made += [f"{name}={folder.resolve()}" for name, folder in base.adapters.items()]
    return made


def rank_of(adapter: Path) -> int:
    """The largest rank of a LoRA adapter.

    Raises:
        BadInput: Its configuration names none.
    """
    path = adapter / "adapter_config.json"
    try:
        told = json.loads(read_text(path))
        ranks = [told["r"], *(told.get("rank_pattern") or {}).values()]
        if not all(isinstance(rank, int) and rank > 0 for rank in ranks):
            raise ValueError(f"ranks {ranks}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            path, f"no rank: {error!r}", "the configuration of a LoRA adapter", "train it again"
        ) from error
    return int(max(ranks))


def _rounded(rank: int) -> int:
    found = next((known for known in RANKS if known >= rank), 0)
    if not found:
        raise MtpeftError(
            f"an adapter of rank {rank}",
            f"at most {RANKS[-1]}, which vLLM takes",
            "--backend transformers",
        )
    return found
