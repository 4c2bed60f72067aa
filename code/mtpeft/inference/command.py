"""`mtpeft infer`: from a run id to its predictions."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from mtpeft.catalog import Method, catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.gpus import devices
from mtpeft.core.locks import held
from mtpeft.core.provenance import sha256
from mtpeft.corpora import evaluation, subsample_evenly
from mtpeft.corpora.weights import fingerprint, model_folder, source_of
from mtpeft.inference import heads
from mtpeft.inference.backends import backend as load_backend
from mtpeft.inference.backends import swift_dtype
from mtpeft.inference.settings import profile as load_profile
from mtpeft.inference.spread import Share, on_each
from mtpeft.inference.stage import Request, drop_errors, failed, finish, infer, take_up
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
    processes: int = 0,
    share: Share = (0, 1),
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
        processes: Side by side, each on a device of its own (0: one for each visible GPU); heads
            have one.
        share: What this process does of the work of several.

    Returns:
        How many instances failed.

    Raises:
        UnknownName: The run has no such evaluation set.
        MtpeftError: There is no adapter, or a process of several ended before its work did.
    """
    entry = catalog().usable_run(name)
    corpus = corpus or catalog().corpus_of(entry)
    if has_heads(entry) and limit:
        raise MtpeftError(
            f"--limit {limit}, and {name} has heads: fewer candidates would be another search",
            "a run that generates",
            "leave --limit out: heads answer a whole set in minutes",
        )
    unread = {
        "--backend": backend != "transformers",
        "--dtype": bool(dtype),
        "--tokens-in-flight": tokens_in_flight > 0,
        "--processes": processes > 1,
    }
    if has_heads(entry) and any(unread.values()):
        given = ", ".join(option for option, is_given in unread.items() if is_given)
        raise MtpeftError(
            f"{given}, and {name} has heads, which take no such option",
            "a run that generates",
            f"leave {given} out",
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
    by = {
        "training": training,
        "seed": seed,
        "dtype": dtype,
        "corpus": corpus,
        "weights_sha256": {p.name: sha256(p) for p in weights},
        **(fingerprint(backbone) if backbone else {}),
    }
    asked = {
        folder / profile / "predictions" / f"{wanted}.jsonl": Request(
            name, wanted, entry.regime, chosen, some, by, tokens_in_flight, share
        )
        for wanted, some in instances.items()
    }
    if retry:
        for path in asked:
            drop_errors(path)
    places = devices(processes) if share[1] == 1 else []
    if len(places) > 1:
        where = (adapter, backbone, backend, dtype, corpus)
        # What each of them is told; its share comes last.
        told = (name, list(instances), profile, training, seed, *where)
        work = partial(run, *told, *(False, limit, tokens_in_flight, 1))
        _side_by_side(asked, backend, work, places)
    else:
        four = four_bit(catalog().get("methods", entry.method))
        engine = load_backend(backend, backbone, result, dtype, four)
        for path, request in asked.items():
            infer(request, engine, path)
    return sum(_said(path, request) for path, request in asked.items()) if share[1] == 1 else 0


def _said(path: Path, request: Request) -> int:
    """How many instances of a set failed, which is printed."""
    wrong, number = failed(path), len(request.examples)
    more = f"; {wrong} of {number} failed, --retry asks them again" if wrong else ""
    print(f"infer: {request.run} {request.evaluation}: {paths.shown(path)}{more}")
    return wrong


def _side_by_side(
    asked: Mapping[Path, Request],
    backend: str,
    work: Callable[[Share], object],
    places: Sequence[str],
) -> None:
    """Have processes answer what has no answer yet, and take up what they wrote.

    Args:
        asked: What to predict, by the file it goes to.
        backend: The name of who decodes.
        work: What a process does.
        places: Its device, for each of them.

    Raises:
        InUse: Another process writes one of the files.
        MtpeftError: A process ended before its work did; what it had answered is kept.
    """

    def left() -> int:
        return sum(len(take_up(request, path, backend)) for path, request in asked.items())

    with ExitStack() as locks:
        for path in asked:
            locks.enter_context(held(path, wait=False))
        missing = left()
        while missing:
            codes, before = on_each(work, places), missing
            missing = left()
            ended = [code for code in codes if code]
            # GPUs of unlike memory divide the rest otherwise; then it takes another round.
            if ended or missing == before:
                raise MtpeftError(
                    f"{len(ended)} of {len(places)} processes ended early (codes {codes}); "
                    f"{missing} instances have no answer, the others are kept",
                    "an answer to every instance",
                    "the same command again: it goes on where it was",
                )
        for path, request in asked.items():
            finish(request, path, backend)


def four_bit(method: Method) -> bool:
    """Whether a method's adapters were trained on a base in 4-bit weights."""
    return method.tuning.get("weights") == "nf4"
