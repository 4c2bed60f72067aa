"""The command line: one command per stage, in the order in which data flows. No logic lives here."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mtpeft.core.errors import MtpeftError, missing_package

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Reproduce, verify and extend two studies of multi-task fine-tuning of code models.",
)


# ---------------------------------------------------------------- the archive


@app.command()
def archive(
    repin: Annotated[
        bool, typer.Option(help="accept changed upstream files and pin them anew")
    ] = False,
) -> None:
    """Import the study's per-instance scores and printed statistics into results/ (needs
    MTPEFT_MIRROR or network).
    """
    from mtpeft.archive.stage import import_archive

    import_archive(repin=repin)


@app.command("archive-b")
def archive_b(
    figures: Annotated[
        Path, typer.Option(envvar="MTPEFT_STUDY_B_FIGURES", help="gzipped CSV of study B's figures")
    ],
    tables: Annotated[
        Path, typer.Option(envvar="MTPEFT_STUDY_B_TABLES", help="JSON of study B's typed tables")
    ],
) -> None:
    """Import study B's published and logged figures, generation by generation, into
    results/published/study-b.
    """
    from mtpeft.archive.study_b.importer import import_study_b

    import_study_b(figures, tables)


@app.command("check-files")
def check_files() -> None:
    """T0: compare every archived file with its checksum."""
    from mtpeft.verification.files import check_and_write

    check_and_write()


# ---------------------------------------------------------------- corpora and tuning


@app.command()
def data(
    groups: Annotated[
        list[str] | None,
        typer.Argument(help="generation, summarization, translation, prompts; default: all"),
    ] = None,
    jobs: Annotated[int, typer.Option(help="files at a time")] = 4,
) -> None:
    """Bring the corpora here, verified; say what is missing. OFFLINE=1 uses what is there. Exit
    code 1 where some is missing.
    """
    from mtpeft.corpora.stage import run

    sys.exit(run(groups or [], jobs))


@app.command()
def train(
    run: Annotated[str, typer.Argument(help="run id, see `mtpeft list runs`")],
    profile: Annotated[str, typer.Option(help="fast or faithful")] = "fast",
    seed: Annotated[list[int] | None, typer.Option(help="may be given several times")] = None,
    corpus: Annotated[
        str,
        typer.Option(
            help="study-a, study-b, study-b-cloze, study-b-own, smoke, a folder, or a "
            "JSON-lines file of examples; default: the run's study"
        ),
    ] = "",
    backbone: Annotated[
        str, typer.Option(help="folder of the base model; default: the run's")
    ] = "",
    change: Annotated[
        list[str] | None, typer.Option("--set", help="setting=value, may be given several times")
    ] = None,
    limit: Annotated[int, typer.Option(help="examples a task; 0: all")] = 0,
) -> None:
    """Train a run; the same command resumes it. Study B: predicts the test sets too. Several GPUs
    (study A): `torchrun --nproc-per-node N -m mtpeft train …`.
    """
    from mtpeft.inference.generate import texts
    from mtpeft.tuning.stage import run as stage

    stage(run, profile, seed or [], corpus, backbone, change or [], limit, texts)


@app.command()
def merge(
    adapter: Annotated[Path, typer.Argument(help="folder of the adapter")],
    target: Annotated[Path, typer.Argument(help="folder to write")],
    backbone: Annotated[
        str, typer.Option(help="folder or hub id of the base; default: as the adapter says")
    ] = "",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16")] = "bfloat16",
) -> None:
    """Fold an adapter into its base: one model that needs no PEFT."""
    from mtpeft.tuning.merge import base_of
    from mtpeft.tuning.merge import merge as fold

    typer.echo(fold(adapter, backbone or base_of(adapter), target, dtype))


@app.command("plan")
def plan_runs(
    runs: Annotated[
        list[str] | None, typer.Argument(help="run ids; default: all of study A")
    ] = None,
    profile: Annotated[str, typer.Option(help="fast or faithful")] = "faithful",
) -> None:
    """Estimate time, memory and cost of training on each GPU class, before anything is spent."""
    from mtpeft.tuning.estimate import show

    show(runs or [], profile)


@app.command()
def smoke(
    jobs: Annotated[int, typer.Option(help="processes that train side by side")] = 2,
    update: Annotated[
        bool, typer.Option(help="write the expected table instead of comparing")
    ] = False,
) -> None:
    """T4 to T1 on a tiny model and tiny corpora; expected beside obtained. Exit code 1 where they
    differ.
    """
    from mtpeft.smoke.driver import run

    sys.exit(run(jobs, update=update))


@app.command("smoke-b")
def smoke_b(
    update: Annotated[
        bool, typer.Option(help="write the expected table instead of comparing")
    ] = False,
) -> None:
    """The part of smoke with shared modules: every kind of backbone with every method, tiny. Exit
    code 1 where it differs.
    """
    from mtpeft.smoke.shared import run

    sys.exit(run(update=update))


@app.command("flaky-cpu")
def flaky_cpu(
    seeds: Annotated[
        str, typer.Option(help="seeds, separated by commas; each adds minutes")
    ] = "42",
) -> None:
    """Train a small model from scratch on the real flaky tests: full and serial adapters, one task
    and two; F1, cost and baselines. The same command resumes.
    """
    from mtpeft.tuning.multitask.flaky_cpu import Size, run

    for row in run(Size(seeds=[int(s) for s in seeds.split(",")])):
        typer.echo(
            f"{row['arm']:36}"
            + "".join(
                f"  {name} {100 * row[key]:5.1f}"
                for name, key in (
                    ("F1", "f1"),
                    ("precision", "precision"),
                    ("recall", "recall"),
                    ("MRR", "mrr"),
                    ("FLOPs saved", "flops_saved"),
                )
                if row[key] == row[key]
            )
        )


# ---------------------------------------------------------------- inference


@app.command("infer")
def infer_run(
    run: Annotated[str, typer.Argument(help="run id, see `mtpeft list runs`")],
    evaluation: Annotated[
        list[str] | None, typer.Argument(help="evaluation sets; default: all of the run")
    ] = None,
    profile: Annotated[str, typer.Option(help="clean, or faithful to the study")] = "clean",
    training: Annotated[str, typer.Option(help="training profile of the adapter")] = "fast",
    seed: Annotated[int, typer.Option(help="seed of the adapter")] = 42,
    adapter: Annotated[
        Path | None, typer.Option(help="adapter or model folder in place of our own")
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="folder of the base model; default: the run's")
    ] = "",
    backend: Annotated[str, typer.Option(help="transformers or vllm")] = "transformers",
    dtype: Annotated[str, typer.Option(help="of weights that are not quantised")] = "bfloat16",
    corpus: Annotated[str, typer.Option(help="as in train; default: the run's study")] = "",
    retry: Annotated[bool, typer.Option(help="predict failed instances again")] = False,
) -> None:
    """Predict the evaluation sets of a run; the same command resumes."""
    from mtpeft.inference.command import run as stage
    from mtpeft.tuning.multitask.stage import infer as shared

    if not shared(run, evaluation or [], training, seed, adapter, backbone, corpus):
        stage(
            run,
            evaluation or [],
            profile,
            training,
            seed,
            adapter,
            backbone,
            backend,
            dtype,
            corpus or "study-a",
            retry,
        )


@app.command("prompt")
def prompt(
    task: Annotated[str, typer.Argument(help="a yes/no task of study B")],
    out: Annotated[Path, typer.Option(help="predictions, appended")],
    model: Annotated[str, typer.Option(help="name at the server, or a local folder")],
    server: Annotated[
        str, typer.Option(help="OpenAI-compatible address up to /v1; empty: local")
    ] = "",
    source: Annotated[str, typer.Option(help="study, own, cosqa")] = "study",
    split: str = "test",
    shots: int = 0,
    limit: Annotated[int, typer.Option(help="examples, evenly spaced; 0: all")] = 0,
) -> None:
    """Zero-shot or few-shot prompting; prints every reading of the answers beside trivial
    baselines.
    """
    from mtpeft.core.records import Prediction, read_predictions
    from mtpeft.corpora import evaluation_of, spaced
    from mtpeft.corpora.study_b import examples
    from mtpeft.inference.prompting import Endpoint, Local, ask
    from mtpeft.scoring.answers import table

    every = examples(task, split, source)
    chat = Endpoint(server, model) if server else Local(model)
    missing = ask(
        spaced(every, limit),
        chat,
        out,
        f"{model}/{shots}-shot",
        shots,
        examples(task, "train", source) if shots else [],
        evaluation_of(task, f"study-b-{source}"),
    )
    _show(table([p for p in read_predictions(out) if isinstance(p, Prediction)], every))
    sys.exit(1 if missing else 0)


@app.command("rank")
def rank_candidates(
    out: Annotated[Path, typer.Option(help="predictions, appended; candidates lie beside it")],
    model: Annotated[str, typer.Option(help="name at the server, or a local folder")],
    server: Annotated[
        str, typer.Option(help="OpenAI-compatible address up to /v1; empty: local")
    ] = "",
    source: Annotated[str, typer.Option(help="study, cloze, cosqa, own")] = "study",
    split: str = "test",
    candidates: Annotated[
        int, typer.Option(help="that stage 1 finds for each query (the study: 10)")
    ] = 10,
    stage1: Annotated[
        str, typer.Option(help="bm25, or embeddings of the model (the study)")
    ] = "bm25",
    limit: Annotated[int, typer.Option(help="queries, evenly spaced; 0: all")] = 0,
) -> None:
    """Zero-shot code search: stage 1 finds candidates, the model scores them; prints MRR@K beside
    trivial rankings.
    """
    from mtpeft.core.records import Prediction, read_predictions
    from mtpeft.corpora import evaluation_of, spaced
    from mtpeft.corpora.study_b import examples
    from mtpeft.inference.prompting import Endpoint, Local
    from mtpeft.inference.ranking import candidates as stage_1
    from mtpeft.inference.ranking import rank, stage
    from mtpeft.scoring.answers import ranking_table

    every = examples("code-search", split, source)
    chat = Endpoint(server, model) if server else Local(model)
    near = stage_1(every, out.with_suffix(".candidates.jsonl"), candidates, stage(stage1, chat))
    asked = {name: near[name] for name in spaced(list(near), limit)}
    missing = rank(
        every,
        asked,
        chat,
        out,
        f"{model}/rank-{candidates}-{stage1}",
        evaluation_of("code-search", f"study-b-{source}"),
    )
    _show(
        ranking_table([p for p in read_predictions(out) if isinstance(p, Prediction)], near, every)
    )
    sys.exit(1 if missing else 0)


def _show(rows: list[dict[str, object]]) -> None:
    for row in rows:
        typer.echo(
            "  ".join(
                f"{key} {value:.4f}" if isinstance(value, float) else f"{key} {value}"
                for key, value in row.items()
            )
        )


# ---------------------------------------------------------------- scoring


@app.command("setup-analysers")
def setup_analysers() -> None:
    """Fetch the pinned analysers (checked by SHA-256), compile the Java helper, lay out WordNet."""
    from mtpeft.scoring.setup_analysers import run

    sys.exit(2 if run() else 0)


@app.command()
def rescore(
    tools: Annotated[list[str] | None, typer.Argument(help="tools; default: all")] = None,
    force: Annotated[bool, typer.Option(help="write again what is up to date")] = False,
) -> None:
    """T2: score every archived output again and compare it, per instance, with the archived scores."""
    from mtpeft.scoring.rescore import run

    run(tools or [], force)


@app.command("other-versions")
def other_versions() -> None:
    """T2: score the outputs whose scores are not archived with other versions of the tools, for the
    search for causes.
    """
    from mtpeft.scoring.other_versions import run

    run()


@app.command("predictions")
def build_predictions(
    force: Annotated[bool, typer.Option(help="build again what is there")] = False,
) -> None:
    """Build the canonical files of archived outputs from the study's repositories at their pinned
    commits (needs git).
    """
    from mtpeft.scoring.build_predictions import build_all

    build_all(force)


@app.command()
def score(
    predictions: Annotated[Path, typer.Argument(help="prediction records (JSON lines)")],
    tools: Annotated[
        list[str] | None, typer.Argument(help="tools; default: all that need no service")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="default: results/regenerated/scored/NAME")
    ] = None,
    corpus: Annotated[str, typer.Option(help="as in train; default: the study's")] = "",
) -> None:
    """Score the predictions of new runs. Exit code 2 where lines could not be used; the others are
    scored.
    """
    from mtpeft.scoring.new import run

    sys.exit(run(predictions, tools or [], out, corpus))


@app.command("audit-outputs")
def audit_outputs() -> None:
    """Search the archived outputs for damage, mend what looks mechanical, and say what that does to
    the tables.
    """
    from mtpeft.audit.output_audit import run

    for name, count in run().items():
        typer.echo(f"{count:7}  {name}")


@app.command("sonar-export")
def sonar_export(
    folder: Annotated[Path, typer.Argument(help="where the scanner's project is written")],
) -> None:
    """Write the archived outputs as a project for SonarQube's scanner (see
    docker/sonarqube-compose.yaml).
    """
    from mtpeft.scoring.predictions import SETS, read_archived
    from mtpeft.scoring.sonarqube import export

    typer.echo(
        f"{export(folder, [i for e in SETS for i in read_archived(e).items])} files in {folder}"
    )


@app.command("sonar-import")
def sonar_import(
    url: Annotated[str, typer.Argument(help="address of the service")],
    project: Annotated[str, typer.Argument(help="key of the project")] = "mtpeft",
) -> None:
    """Read the measures of an exported project (token in SONAR_TOKEN) as score tables of the tool
    sonarqube-own.
    """
    from mtpeft.scoring.sonarqube import write

    for path in write(url, project):
        typer.echo(path)


@app.command("explain-codebleu")
def explain_codebleu() -> None:
    """Say row by row why an archived CodeBLEU value differs from a recomputed one (many minutes)."""
    from mtpeft.scoring.codebleu.stage import run

    run()


@app.command()
def judge(
    predictions: Annotated[Path, typer.Argument(help="prediction records (JSON lines)")],
    dry_run: Annotated[bool, typer.Option(help="only say what it would take and cost")] = False,
    corpus: Annotated[str, typer.Option(help="study-a or smoke")] = "study-a",
) -> None:
    """Have an OpenAI-compatible model rate summaries (address, model and key from the environment)."""
    from mtpeft.scoring.judge.stage import run

    sys.exit(run(predictions, dry_run, corpus))


@app.command("selftest-sandbox")
def selftest_sandbox() -> None:
    """Run every evil program in the sandbox: 0 contained, 1 an escape, 2 refused."""
    from mtpeft.core.paths import ROOT
    from mtpeft.sandbox.selftest import main

    sys.exit(main([str(ROOT / "tests" / "evil_programs")]))


# ---------------------------------------------------------------- statistics


@app.command()
def statistics(
    rescored: Annotated[
        bool, typer.Option(help="T2: the tests that rescored outputs make possible")
    ] = False,
    mended: Annotated[
        bool, typer.Option(help="T2: the tests after mending damaged outputs")
    ] = False,
) -> None:
    """T1: recompute every test of the study from per-instance scores, under both protocols."""
    from mtpeft.statistics.stage import run, run_mended, run_rescored

    run_rescored() if rescored else run_mended() if mended else run()


# ---------------------------------------------------------------- verification


@app.command()
def audit(
    rescored: Annotated[
        bool, typer.Option(help="T2: causes of the values that rescored outputs recover")
    ] = False,
) -> None:
    """Search for the causes of cells that do not reproduce, and audit the scores themselves."""
    from mtpeft.audit.stage import run, run_rescored

    run_rescored() if rescored else run()


@app.command()
def verify(
    quiet: Annotated[bool, typer.Option(help="print nothing but the counts")] = False,
) -> None:
    """Give every published cell, claim and file its verdict. Exit code 1 where a difference is
    unexplained.
    """
    from mtpeft.verification.stage import run

    sys.exit(run(quiet=quiet))


@app.command("compare-predictions")
def compare_predictions(
    reference: Annotated[
        Path, typer.Argument(help="prediction records (JSON lines) to compare with")
    ],
    new: Annotated[Path, typer.Argument(help="prediction records of the same run, made again")],
    reference_scores: Annotated[
        Path | None, typer.Option(help="folder in which `mtpeft score` put their scores")
    ] = None,
    new_scores: Annotated[Path | None, typer.Option(help="the same for the new ones")] = None,
    name: Annotated[
        str, typer.Option(help="of the result, verification/answers/NAME.csv")
    ] = "answers",
) -> None:
    """T3: identical strings, else each metric by its paired-bootstrap interval; flips named. Exit
    code 1 for a difference.
    """
    from mtpeft.verification.answers import run

    sys.exit(run(reference, new, reference_scores, new_scores, name))


@app.command("verify-seeds")
def verify_seeds(
    training: Annotated[str, typer.Option(help="training profile of the runs")] = "faithful",
    inference: Annotated[str, typer.Option(help="inference profile of their answers")] = "faithful",
) -> None:
    """T4: scored runs of study A that were trained here, against archive and claims, by the
    interval over their seeds.
    """
    from mtpeft.verification.seeds import run

    sys.exit(run(training, inference))


@app.command()
def verdict() -> None:
    """Print the counts of the last verification and end with its exit code."""
    from mtpeft.verification.stage import conclude

    sys.exit(conclude())


# ---------------------------------------------------------------- reporting


@app.command()
def tables(
    only: Annotated[list[str] | None, typer.Argument(help="table ids; default: all")] = None,
    show: Annotated[bool, typer.Option(help="also print the tables")] = False,
) -> None:
    """Render tables as Markdown, CSV and LaTeX."""
    from mtpeft.reporting.stage import write_tables

    write_tables(only or [], show=show)


@app.command()
def figures(
    only: Annotated[list[str] | None, typer.Argument(help="figure ids; default: all")] = None,
) -> None:
    """Render figures as SVG and PNG."""
    from mtpeft.reporting.stage import write_figures

    write_figures(only or [])


@app.command()
def report() -> None:
    """Write the offline HTML report, verdict.json, JUnit XML and the RO-Crate; print the short
    verdict.
    """
    from mtpeft.reporting.stage import write_report

    write_report()


# ---------------------------------------------------------------- looking around


@app.command("list")
def list_catalog(
    kind: Annotated[
        str,
        typer.Argument(
            help="tasks, backbones, methods, runs, tools, comparisons, tables or claims"
        ),
    ] = "runs",
) -> None:
    """List what is in the catalog."""
    from mtpeft.catalog import catalog
    from mtpeft.catalog.schema import KINDS
    from mtpeft.core.errors import UnknownName

    if kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    for item in getattr(catalog(), kind).values():
        typer.echo(
            f"{item.id:55} {getattr(item, 'title', '') or getattr(item, 'text', '')}".rstrip()
        )


def main() -> None:
    """Entry point: deliberate errors are printed without traceback and end with their exit code."""
    try:
        app()
    except MtpeftError as error:
        print(f"mtpeft: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if (missing := missing_package(error)) is None:
            raise
        print(f"mtpeft: {missing}", file=sys.stderr)
        sys.exit(missing.exit_code)
    except (KeyboardInterrupt, SystemExit) as end:
        # Typer turns Ctrl-C into exit code 130 without a word.
        if isinstance(end, SystemExit) and end.code != 130:
            raise
        print(
            "mtpeft: interrupted; complete files are kept, the same command resumes",
            file=sys.stderr,
        )
        sys.exit(130)
