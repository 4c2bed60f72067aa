"""`mtpeft infer`: from a run id to its predictions."""

from collections.abc import Sequence
from pathlib import Path

from mtpeft.catalog import Method, catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.provenance import sha256
from mtpeft.corpora import evaluation, subsample_evenly
from mtpeft.corpora.weights import fingerprint, model_folder, source_of
from mtpeft.inference import heads
from mtpeft.inference.backends import backend as load_backend
from mtpeft.inference.backends import swift_dtype
from mtpeft.inference.settings import profile as load_profile
from mtpeft.inference.stage import Request, drop_errors, failed, infer
from mtpeft.inference.trained import weights_of
from mtpeft.tasks.encoding import has_heads


def run(
    name: str,
    evaluations: Sequence[str],
    profile: str,
    training: str,
    seed: int,
    adapter: Path | None,
    backbone: str,
    backend: str,
    dtype: str,
    corpus: str,
    retry: bool,
    limit: int = 0,
    tokens_in_flight: int = 0,
) -> int:
    """Predict evaluation sets of a run into the folder of its seed.

    Args:
        name: Of the run.
        evaluations: Which sets (default: all of its tasks').
        profile: How predictions are made.
        training: Profile of the training.
        seed: Of the training.
        adapter: Folder in place of results/regenerated/training/<training>/<run>/seed-<seed>.
        backbone: Folder in place of the run's own base.
        backend: As in `backends.backend`.
        dtype: As in `backends.backend`; empty: `backends.swift_dtype`.
        corpus: As in `corpora.load`.
        retry: Whether instances that failed are predicted again.
        limit: Instances of each set, evenly spaced (0: all).
        tokens_in_flight: As in `Request`.

    Returns:
        How many instances failed.

    Raises:
        UnknownName: The run has no such evaluation set.
        MtpeftError: There is no adapter.
    """
    entry = catalog().usable_run(name)
    corpus = corpus or catalog().corpus_of(entry)
    if has_heads(entry) and limit:
        raise MtpeftError(
            f"--limit {limit}, and {name} has heads: fewer candidates would be another search",
            "a run that generates",
            "leave --limit out: heads answer a whole set in minutes",
        )
    if has_heads(entry):
        return heads.run(entry, evaluations, training, seed, adapter, backbone, corpus)
    known = [e.id for task in entry.tasks for e in catalog().get("tasks", task).evaluations]
    for wanted in evaluations:
        if wanted not in known:
            raise UnknownName(f"evaluation set of {name}", wanted, known)
    folder = paths.seed_folder(training, name, seed)
    result: Path | None = None
    weights: list[Path] = []
    if adapter or entry.regime != "untuned":
        result, weights = weights_of(name, training, seed, adapter)
    chosen = load_profile(profile)
    instances = {
        wanted: subsample_evenly(evaluation(wanted, corpus), limit)
        for wanted in evaluations or known
    }
    base = catalog().get("backbones", entry.backbone)
    if backbone:
        model_folder(backbone)
    elif result is None or (result / "adapter_config.json").is_file():
        backbone = source_of(base)
    dtype = dtype or swift_dtype()
    engine = load_backend(
        backend, backbone, result, dtype, four_bit(catalog().get("methods", entry.method))
    )
    by = {
        "training": training,
        "seed": seed,
        "dtype": dtype,
        "corpus": corpus,
        "weights_sha256": {p.name: sha256(p) for p in weights},
        **(fingerprint(backbone) if backbone else {}),
    }
    failures = 0
    for wanted, some in instances.items():
        path = folder / profile / "predictions" / f"{wanted}.jsonl"
        if retry:
            drop_errors(path)
        infer(Request(name, wanted, entry.regime, chosen, some, by, tokens_in_flight), engine, path)
        wrong = failed(path)
        more = f"; {wrong} of {len(some)} failed, --retry asks them again" if wrong else ""
        print(f"infer: {name} {wanted}: {paths.shown(path)}{more}")
        failures += wrong
    return failures


def four_bit(method: Method) -> bool:
    """Whether a method's adapters were trained on a base in 4-bit weights."""
    return method.tuning.get("weights") == "nf4"
