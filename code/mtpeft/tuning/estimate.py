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

from rich.console import Console
from rich.table import Table

from mtpeft.catalog import Backbone, Run, catalog
from mtpeft.core.errors import MtpeftError
from mtpeft.tuning.settings import HEADS, Settings, how, objective_of, resolve

# Examples and mean tokens (prompt and answer) of each task.
EXAMPLES = {"generation": 416_743, "summarization": 416_743, "translation": 20_600}
TOKENS = {"generation": 190, "summarization": 200, "translation": 130}
# What share of the peak each profile is assumed to reach.
SHARE = {"faithful": 0.12, "fast": 0.40}


@dataclass(frozen=True)
class Gpu:
    """A class of GPUs.

    Attributes:
        name: Of the class.
        memory: In GiB.
        peak: Of dense bf16 products, in TFLOP/s.
        price: An assumed price an hour, in US dollars.
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
    """What a run will take.

    Attributes:
        parameters: Weights of the backbone.
        tokens: Of the whole run.
        operations: Floating-point operations of the whole run.
        memory: In GiB.
    """

    parameters: float
    tokens: float
    operations: float
    memory: float

    def hours(self, gpu: Gpu, share: float) -> float:
        """Hours on one GPU at a share of its peak."""
        return self.operations / (gpu.peak * 1e12 * share) / 3600


def counts(run: Run, backbone: Backbone, settings: Settings) -> tuple[float, float, float]:
    """Weights of a model, counted in one that has shapes and no weights.

    Returns:
        All weights of the backbone, those in matrix products of a forward pass, and those that are
        trained.
    """
    from mtpeft.models.base import config_of, empty_causal
    from mtpeft.models.methods import method_module

    model = empty_causal(config_of(backbone))
    every = sum(p.numel() for p in model.parameters())
    table = model.get_input_embeddings().weight
    tied = table is model.get_output_embeddings().weight
    method = catalog().get("methods", run.method)
    attached = method_module(method).attach(model, backbone, how(settings)).encoder
    trained = sum(p.numel() for p in attached.parameters() if p.requires_grad)
    return every, every - (0 if tied else table.numel()), trained


def estimate(run: Run, backbone: Backbone, settings: Settings) -> Estimate:
    """Tokens, operations and memory of a run."""
    from mtpeft.models.methods import trains_whole

    every, used, trained = counts(run, backbone, settings)
    tokens = settings.epochs * sum(EXAMPLES[t] * TOKENS[t] for t in run.tasks)
    full = trains_whole(catalog().get("methods", run.method))
    rate = (6 if full else 4) + (2 if settings.gradient_checkpointing else 0)
    bytes_each = {"nf4": 0.55, "bfloat16": 2, "float16": 2, "float32": 4}[settings.weights]
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


def show(names: list[str], profile: str) -> None:
    """Print the estimates of runs on every GPU class.

    Args:
        names: Of the runs.
        profile: How they are trained.

    Raises:
        MtpeftError: A run trains heads, for which there is no estimate.
    """
    known = catalog()
    usable = [r for r in known.runs.values() if not r.withdrawn]
    runs = [known.usable_run(n) for n in names] or [r for r in usable if objective_of(r) != HEADS]
    for run in runs:
        if objective_of(run) == HEADS:
            raise MtpeftError(
                f"no estimate of {run.id}: it trains heads",
                "a run whose tasks give code or text",
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
        print(f"{len(usable) - len(runs)} more runs train a head per task: no estimate")
