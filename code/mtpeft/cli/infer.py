"""`mtpeft infer`: adapter or server + examples → predictions."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtpeft.cli.group import example, group

if TYPE_CHECKING:
    from mtpeft.inference.prompting import Endpoint, Local

app = group(
    "infer", "Predict evaluation sets: trained runs, prompted models, ranked search.", "run"
)
Model = Annotated[
    str,
    typer.Option(help="name at the server; else a folder, or a backbone (mtpeft list backbones)"),
]
Server = Annotated[str, typer.Option(help="OpenAI-compatible address up to /v1; empty: local")]
AtOnce = Annotated[
    int, typer.Option(min=1, help="questions at a time: requests, or a batch of a local model")
]
Dtype = Annotated[str, typer.Option(help="of a local model's weights; default: as in infer run")]
Corpus = Annotated[str, typer.Option(help="as in train; default: that of the task's study")]


@app.command("run", **example("mtpeft infer qwen2.5-coder-0.5b/mt-qlora --training faithful"))
def run(
    run: Annotated[str, typer.Argument(help="run id, see `mtpeft list runs`")],
    evaluation: Annotated[
        list[str] | None, typer.Argument(help="evaluation sets; default: all of the run")
    ] = None,
    profile: Annotated[str, typer.Option(help="clean, or faithful to the study")] = "clean",
    training: Annotated[str, typer.Option(help="training profile of the adapter")] = "fast",
    seed: Annotated[int, typer.Option(min=0, help="seed of the adapter")] = 42,
    adapter: Annotated[
        Path | None, typer.Option(help="adapter or model folder in place of our own")
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="folder of the base model; default: the run's")
    ] = "",
    backend: Annotated[str, typer.Option(help="transformers or vllm")] = "transformers",
    dtype: Annotated[
        str,
        typer.Option(
            help="of weights that are not quantized; default: bfloat16 where the machine has "
            "instructions for it, else float32"
        ),
    ] = "",
    corpus: Annotated[str, typer.Option(help="as in train; default: the run's study")] = "",
    retry: Annotated[bool, typer.Option(help="predict failed instances again")] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="instances of a set, evenly spaced; 0: all")
    ] = 0,
    tokens_in_flight: Annotated[
        int, typer.Option(min=0, help="prompt and answer tokens of a batch; 0: as memory allows")
    ] = 0,
    processes: Annotated[
        int, typer.Option(min=0, help="side by side, one a GPU; 0: one for each visible GPU")
    ] = 0,
) -> None:
    """Predict the evaluation sets of a run, on all visible GPUs; the same command resumes."""
    from mtpeft.inference.command import run as stage

    failures = stage(
        run,
        evaluation or [],
        profile,
        training,
        seed,
        adapter,
        backbone,
        backend,
        dtype,
        corpus,
        retry,
        limit,
        tokens_in_flight,
        processes,
    )
    sys.exit(1 if failures else 0)


@app.command(
    "published",
    **example(
        "mtpeft infer published codebert-clone-student --corpus multitask-peft-public --out answers.jsonl"
    ),
)
def published(
    backbone: Annotated[str, typer.Argument(help="a base model that comes with a classifier")],
    out: Annotated[Path, typer.Option(help="predictions, replaced")],
    corpus: Corpus = "",
    batch: Annotated[int, typer.Option(min=1, help="functions at a time")] = 64,
    limit: Annotated[int, typer.Option(min=0, help="examples, evenly spaced; 0: all")] = 0,
) -> None:
    """Predict the test set of a classifier as its authors published it, and print its scores."""
    from mtpeft.core.files import expect_writable
    from mtpeft.inference.published import run

    expect_writable(out)
    for name, value in run(backbone, out, corpus, batch, limit).items():
        typer.echo(f"{name:10} {value:.4f}")


def _chat(server: str, model: str, at_once: int, dtype: str) -> "Endpoint | Local":
    """What answers: a server, or a model on this machine."""
    from mtpeft.corpora.weights import named_source
    from mtpeft.inference.prompting import Endpoint, Local

    return Endpoint(server, model, at_once=at_once) if server else Local(named_source(model), dtype)


@app.command(
    "prompt",
    **example(
        "mtpeft infer prompt clone-detection --out answers.jsonl --model NAME "
        "--server http://localhost:8000/v1 --shots 4"
    ),
)
def prompt(
    task: Annotated[str, typer.Argument(help="a yes/no task")],
    out: Annotated[Path, typer.Option(help="predictions, appended")],
    model: Model,
    server: Server = "",
    corpus: Corpus = "",
    split: str = "test",
    shots: int = 0,
    limit: Annotated[int, typer.Option(min=0, help="examples, evenly spaced; 0: all")] = 0,
    at_once: AtOnce = 8,
    dtype: Dtype = "",
) -> None:
    """Prompt a model, zero-shot or few-shot; report strict and permissive parsing next to baselines."""
    from mtpeft.core.files import expect_writable
    from mtpeft.core.records import Prediction, read_predictions
    from mtpeft.corpora import default_corpus, evaluation_of, load, subsample_evenly
    from mtpeft.inference.prompting import ask
    from mtpeft.scoring.answers import table

    expect_writable(out)
    corpus = corpus or default_corpus(task)
    every = load(corpus, task, split)
    chat = _chat(server, model, at_once, dtype)
    missing = ask(
        subsample_evenly(every, limit),
        chat,
        out,
        f"{model}/{shots}-shot",
        shots,
        load(corpus, task, "train") if shots else [],
        evaluation_of(task, corpus),
        at_once,
    )
    answered = [p for p in read_predictions(out) if isinstance(p, Prediction)]
    _show(table(answered, every, shots, bool(server)))
    sys.exit(1 if missing else 0)


@app.command(
    "rank",
    **example("mtpeft infer rank --out ranks.jsonl --model NAME --server http://localhost:8000/v1"),
)
def rank(
    out: Annotated[
        Path, typer.Option(help="predictions, appended; candidates go into the same folder")
    ],
    model: Model,
    server: Server = "",
    corpus: Corpus = "",
    split: str = "test",
    candidates: Annotated[
        int, typer.Option(min=1, help="that stage 1 finds for each query (the study: 10)")
    ] = 10,
    stage1: Annotated[
        str, typer.Option(help="bm25, or embeddings of the model (the study)")
    ] = "bm25",
    limit: Annotated[int, typer.Option(min=0, help="queries, evenly spaced; 0: all")] = 0,
    at_once: AtOnce = 8,
    dtype: Dtype = "",
) -> None:
    """Zero-shot code search: stage 1 finds candidates, the model scores them; prints MRR@K."""
    from mtpeft.core.files import expect_writable
    from mtpeft.core.records import Prediction, read_predictions
    from mtpeft.corpora import default_corpus, evaluation_of, load, subsample_evenly
    from mtpeft.inference.ranking import candidates as stage_1
    from mtpeft.inference.ranking import rank as rank_candidates
    from mtpeft.inference.ranking import stage
    from mtpeft.scoring.answers import ranking_table

    expect_writable(out)
    corpus = corpus or default_corpus("code-search")
    every = load(corpus, "code-search", split)
    chat = _chat(server, model, at_once, dtype)
    near = stage_1(every, out.with_suffix(".candidates.jsonl"), candidates, stage(stage1, chat))
    asked = {name: near[name] for name in subsample_evenly(list(near), limit)}
    missing = rank_candidates(
        every,
        asked,
        chat,
        out,
        f"{model}/rank-{candidates}-{stage1}",
        evaluation_of("code-search", corpus),
        at_once,
    )
    answers = [p for p in read_predictions(out) if isinstance(p, Prediction)]
    _show(ranking_table(answers, near, every))
    sys.exit(1 if missing else 0)


@app.command("proof-server", **example("mtpeft infer proof-server --quick"))
def proof_server(
    quick: Annotated[bool, typer.Option("--quick", help="a few requests, in a minute")] = False,
    backbone: Annotated[str, typer.Option(help="an instruction model")] = "smollm2-135m-instruct",
    corpus: Annotated[str, typer.Option(help="as in train")] = "multitask-peft-public",
    instances: Annotated[int, typer.Option(min=1, help="of each yes-or-no task")] = 200,
    shots: Annotated[int, typer.Option(min=0, help="solved examples, in a second pass")] = 4,
    few: Annotated[
        int, typer.Option(min=0, help="instances of the second pass; 0: as many as of the first")
    ] = 0,
    queries: Annotated[int, typer.Option(min=0, help="of code search; 0: none")] = 200,
    summaries: Annotated[int, typer.Option(min=1, help="written and judged")] = 50,
    port: Annotated[int, typer.Option(min=0, help="of the server; 0: a free one")] = 0,
) -> None:
    """Ask a small real model through `mtpeft serve`: prompting without and with examples, the judge.

    Exit code 1 where a request got no answer; replies that cannot be read are counted.
    """
    from mtpeft.core import paths
    from mtpeft.smoke.served import QUICK, Amount, run

    amount = QUICK if quick else Amount(instances, (0, shots), queries, summaries, few)
    root = paths.REGENERATED / "proofs" / "server" / ("quick" if quick else "full")
    sys.exit(run(backbone, corpus, amount, root, port))


@app.command("proof-weights", **example("mtpeft infer proof-weights --quick"))
def proof_weights(
    quick: Annotated[
        bool, typer.Option("--quick", help="a few examples; its figures mean nothing")
    ] = False,
    corpus: Annotated[str, typer.Option(help="as in train")] = "multitask-peft-public",
    model: Annotated[
        str, typer.Option(help="a backbone that writes text; empty: none")
    ] = "smollm2-135m-instruct",
    backbone: Annotated[
        list[str] | None, typer.Option(help="a classifier; repeatable; default: all")
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            min=0, help="examples of a classifier in each way; 0: all, 500 but in the first"
        ),
    ] = 0,
) -> None:
    """Predict with every published classifier, and a small language model, on 1 and 2 threads and in
    two sizes of batch; score the answers and list what differs.
    """
    from mtpeft.core import paths
    from mtpeft.proof.weights import QUICK, Amount, run

    root = paths.REGENERATED / "proofs" / "published-weights" / ("quick" if quick else "full")
    amount = QUICK if quick else Amount(limit, limit) if limit else Amount()
    run(corpus, model, amount, root, backbone or [])


def _show(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        typer.echo(
            "  ".join(
                f"{key} {value:.4f}" if isinstance(value, float) else f"{key} {value}"
                for key, value in row.items()
            )
        )
