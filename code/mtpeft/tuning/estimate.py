"""`mtpeft plan`: what training will take, before anything is spent. Estimates, from formulas that
stand here.

Tokens: tokens of an example are assumed (TOKENS) where the corpus is not counted; the sizes of the
corpora are the catalog's. Operations: 6 N a token for training every weight, 4 N for adapters (no
weight gradients of the base), plus 2 N where activations are recomputed (Kaplan et al. 2020,
arXiv:2001.08361, section 2.1), N without the embedding but with the output layer. Time: operations
/ (peak × share); the shares are assumptions, not measurements. Memory: weights + gradients +
optimizer + activations of a micro-batch (34 bytes × tokens × width × layers, Korthikanti et al.
2022, arXiv:2205.05198, without the attention term) + logits (faithful: 4 + 2 bytes × tokens ×
vocabulary).
"""

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from mtpeft.catalog import Backbone, Run, catalog
from mtpeft.core.errors import MtpeftError
from mtpeft.tuning.multitask.methods import has_shared_module
from mtpeft.tuning.settings import Settings, resolve

# Examples and mean tokens (prompt and answer) of each task; study A's corpora.
EXAMPLES = {"generation": 416_743, "summarization": 416_743, "translation": 20_600}
TOKENS = {"generation": 190, "summarization": 200, "translation": 130}
# What share of the peak each profile is assumed to reach.
SHARE = {"faithful": 0.12, "fast": 0.40}


@dataclass(frozen=True)
class Gpu:
    """A GPU class: memory in GiB, dense bf16 peak in TFLOP/s, and an assumed price an hour (US
    dollars).
    """

    name: str
    memory: float
    peak: float
    price: float


GPUS = [
    Gpu("RTX 4090 24 GB", 24, 165, 0.5),
    Gpu("A100 80 GB", 80, 312, 1.8),
    Gpu("H100 80 GB", 80, 989, 3.0),
    Gpu("H200 141 GB", 141, 989, 3.8),
]


@dataclass(frozen=True)
class Estimate:
    """parameters: weights of the backbone; tokens: of the whole run; operations: floating-point;
    memory: GiB.
    """

    parameters: float
    tokens: float
    operations: float
    memory: float

    def hours(self, gpu: Gpu, share: float) -> float:
        """Hours on one GPU at a share of its peak."""
        return self.operations / (gpu.peak * 1e12 * share) / 3600


def parameters(config: dict[str, Any]) -> tuple[float, float]:
    """Weights of a Qwen2: (all, those in matrix products of a forward pass)."""
    h, f, n = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    kv = config["num_key_value_heads"] * h // config["num_attention_heads"]
    layer = 2 * h * h + 2 * h * kv + 3 * h * f + (h + 2 * kv) + 2 * h
    table = config["vocab_size"] * h
    return n * layer + table * (
        1 if config.get("tie_word_embeddings") else 2
    ) + h, n * layer + table


def estimate(run: Run, backbone: Backbone, settings: Settings) -> Estimate:
    """Tokens, operations and memory of a run."""
    every, used = parameters(backbone.config)
    tokens = settings.epochs * sum(EXAMPLES[t] * TOKENS[t] for t in run.tasks)
    full = run.method == "fft"
    rate = (6 if full else 4) + (2 if settings.gradient_checkpointing else 0)
    bytes_each = {"nf4": 0.55, "bfloat16": 2, "float16": 2, "float32": 4}[settings.weights]
    adapters = _adapter_weights(backbone.config, settings.lora_rank)
    trained = every if full else adapters
    state = 4 if "8bit" not in settings.optimizer else 1
    kept = trained * (bytes_each + 2 * min(state, bytes_each) if full else 4 + 4 + 2 * state)
    width, layers = backbone.config["hidden_size"], backbone.config["num_hidden_layers"]
    rows = settings.batch_size * settings.max_length
    activations = 34 * rows * width * (1 if settings.gradient_checkpointing else layers) + (
        2 * rows * width * layers if settings.gradient_checkpointing else 0
    )
    logits = rows * backbone.config["vocab_size"] * 6 if settings.loss_on != "answer" else 2 * 2**29
    embedding = backbone.config["vocab_size"] * width * 2 if settings.weights == "nf4" else 0
    total = every * bytes_each + embedding + kept + activations + logits + 1.5 * 2**30
    return Estimate(every, tokens, rate * used * tokens, total / 2**30)


def _adapter_weights(config: dict[str, Any], rank: int) -> float:
    """LoRA weights on the seven projections of every layer."""
    h, f = config["hidden_size"], config["intermediate_size"]
    kv = config["num_key_value_heads"] * h // config["num_attention_heads"]
    return config["num_hidden_layers"] * rank * (2 * (h + h) + 2 * (h + kv) + 3 * (h + f))


def show(names: list[str], profile: str) -> None:
    """Print the estimates of runs on every GPU class."""
    known = catalog()
    usable = [r for r in known.runs.values() if not r.withdrawn]
    runs = [known.usable_run(n) for n in names] or [r for r in usable if not has_shared_module(r)]
    for run in runs:
        if has_shared_module(run):
            raise MtpeftError(
                f"no estimate of {run.id}: it trains a shared module",
                "a run whose method trains on tokens",
                "mtpeft list runs",
            )
    share = SHARE.get(profile, 0.2)
    table = Table(
        title=f"Estimates (nothing here is measured): profile {profile}, {share:.0%} of the bf16 peak, one GPU"
    )
    for title in ("run", "tokens", "memory", *(g.name for g in GPUS)):
        table.add_column(title, justify="left" if title == "run" else "right", no_wrap=True)
    for run in runs:
        made = estimate(run, known.get("backbones", run.backbone), resolve(run, profile))
        cells = []
        for gpu in GPUS:
            hours = made.hours(gpu, share)
            cells.append(
                "too small"
                if made.memory > gpu.memory
                else f"{hours:.1f} h, ${hours * gpu.price:.0f}"
            )
        table.add_row(run.id, f"{made.tokens / 1e6:.0f} M", f"{made.memory:.0f} GiB", *cells)
    Console(width=180).print(table)
    if not names and len(usable) > len(runs):
        print(
            f"{len(usable) - len(runs)} more runs train one module with a head per task: no estimate"
        )
