"""`mtpeft score`: predictions → scores."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mtpeft.cli.group import example, group

app = group(
    "score", "Score predictions: analysers, text metrics, execution, the LLM judge.", "file"
)


@app.command("file", **example("mtpeft score predictions/generation-java.jsonl pmd lizard"))
def file(
    predictions: Annotated[Path, typer.Argument(help="prediction records (JSON lines)")],
    tools: Annotated[
        list[str] | None, typer.Argument(help="tools; default: all that need no service")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="default: results/regenerated/scored/NAME")
    ] = None,
    corpus: Annotated[str, typer.Option(help="as in train; default: the study's")] = "",
    replace: Annotated[
        bool, typer.Option(help="replace scores of the same run from another file")
    ] = False,
) -> None:
    """Score the predictions of new runs; runs that were scored into the same folder before stay.

    Exit code 2 where lines could not be used (the others are scored) or nothing was scored.
    """
    from mtpeft.scoring.new import place_of, run

    code = run(predictions, tools or [], out, corpus, replace=replace)
    if "execution" in (tools or []):
        _say_pass_at_k(out or place_of(predictions))
    sys.exit(code)


def _say_pass_at_k(place: Path) -> None:
    """Print pass@k of every run below a folder with its interval, for each usual k that the samples
    allow.
    """
    from mtpeft.core.records import read_scores
    from mtpeft.scoring.execution.pass_at_k import by_problem, samples_of
    from mtpeft.statistics.rates import rate_line

    for path in sorted((place / "scores" / "execution").glob("*.csv")):
        for run, samples in samples_of(read_scores(path)).items():
            for k in (1, 10, 100):
                if values := by_problem(samples, k):
                    typer.echo(f"  {run}  {rate_line(f'pass@{k}', values, 'problems')}")
                elif k == 1:
                    lost = sum(not passed for passed in samples.values())
                    typer.echo(f"  {run}  no pass@1: {lost} problems have no scored sample")


@app.command(
    "judge", **example("mtpeft score judge predictions/summarization-java.jsonl --dry-run")
)
def judge(
    predictions: Annotated[Path, typer.Argument(help="prediction records (JSON lines)")],
    dry_run: Annotated[bool, typer.Option(help="only say what it would take and cost")] = False,
    corpus: Annotated[str, typer.Option(help="as in train; default: the study's")] = "",
) -> None:
    """Have an OpenAI-compatible model rate summaries (address, model and key from the environment)."""
    from mtpeft.scoring.judge.stage import run

    sys.exit(run(predictions, dry_run, corpus))


@app.command("setup", **example("mtpeft score setup"))
def setup() -> None:
    """Fetch the pinned analysers that are no Python packages, and WordNet, each checked by SHA-256."""
    from mtpeft.scoring.setup_all import run

    sys.exit(2 if run() else 0)


@app.command("archive", **example("mtpeft score archive lizard pylint"))
def archive(
    tools: Annotated[list[str] | None, typer.Argument(help="tools; default: all")] = None,
    force: Annotated[bool, typer.Option(help="write again what is up to date")] = False,
) -> None:
    """T2: score every archived output again and compare it, per instance, with the archived scores."""
    from mtpeft.scoring.rescore import run

    run(tools or [], force)


@app.command("other-versions", **example("mtpeft score other-versions"))
def other_versions() -> None:
    """T2: score outputs without archived scores with other versions of the tools, to find causes."""
    from mtpeft.scoring.other_versions import run

    run()


@app.command("audit-outputs", **example("mtpeft score audit-outputs"))
def audit_outputs() -> None:
    """Search the archived outputs for damage, repair mechanical damage, and say what that changes."""
    from mtpeft.audit.output_audit import run

    for name, count in run().items():
        typer.echo(f"{count:7}  {name}")


@app.command("explain-codebleu", **example("mtpeft score explain-codebleu"))
def explain_codebleu() -> None:
    """Explain, row by row, why an archived CodeBLEU value differs from a recomputed one (minutes)."""
    from mtpeft.scoring.codebleu.stage import run

    run()


@app.command("sonar-export", **example("mtpeft score sonar-export project/"))
def sonar_export(
    folder: Annotated[Path, typer.Argument(help="where the scanner's project is written")],
) -> None:
    """Write the archived outputs as a project for SonarQube's scanner (docker/sonarqube-compose.yaml)."""
    from mtpeft.scoring.predictions import read_archived, sets
    from mtpeft.scoring.sonar.sonarqube import export

    count = export(folder, [i for e in sets() for i in read_archived(e).items])
    typer.echo(f"{count} files in {folder}")


@app.command(
    "sonar-import", **example("SONAR_TOKEN=… mtpeft score sonar-import http://localhost:9000")
)
def sonar_import(
    url: Annotated[str, typer.Argument(help="address of the service")],
    project: Annotated[str, typer.Argument(help="key of the project")] = "mtpeft",
) -> None:
    """Read the measures of an exported project as score tables of the tool sonarqube-own."""
    from mtpeft.scoring.sonar.sonarqube import write

    for path in write(url, project):
        typer.echo(path)


@app.command(
    "codereval-export",
    **example("mtpeft score codereval-export predictions/generation-java.jsonl in.jsonl"),
)
def codereval_export(
    predictions: Annotated[Path, typer.Argument(help="prediction records of one run")],
    out: Annotated[Path, typer.Argument(help="CoderEval's input")],
    evaluation: Annotated[str, typer.Option(help="evaluation set")] = "generation-java",
) -> None:
    """Write predictions as the input of CoderEval's own environment."""
    from mtpeft.scoring.execution.codereval import export

    typer.echo(f"{export(predictions, out, evaluation)} tasks in {out}")


@app.command(
    "codereval-import",
    **example("mtpeft score codereval-import in.jsonl_out.jsonl predictions/generation-java.jsonl"),
)
def codereval_import(
    results: Annotated[Path, typer.Argument(help="CoderEval's result file")],
    predictions: Annotated[Path, typer.Argument(help="the predictions that were sent")],
    evaluation: Annotated[str, typer.Option(help="evaluation set")] = "generation-java",
    out: Annotated[
        Path | None, typer.Option(help="default: results/regenerated/scored/NAME")
    ] = None,
) -> None:
    """Read CoderEval's verdicts as scores of the predictions that were sent, matched by code."""
    from mtpeft.scoring.execution.codereval import import_results
    from mtpeft.scoring.new import place_of

    place = out or place_of(predictions)
    typer.echo(import_results(results, predictions, evaluation, place))


@app.command("selftest-sandbox", **example("mtpeft score selftest-sandbox"))
def selftest_sandbox() -> None:
    """Run the adversarial test programs in the sandbox: 0 contained, 1 an escape, 2 refused."""
    from mtpeft.core.paths import ROOT
    from mtpeft.sandbox.selftest import main

    sys.exit(main([str(ROOT / "tests" / "evil_programs")]))
