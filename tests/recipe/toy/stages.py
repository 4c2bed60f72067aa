"""All stages on a task and a metric from outside the package, one after another; what came of them
as JSON.

Run by test_extension.py as `stages.py OUT`, with MTPEFT_CATALOG, PYTHONPATH and MTPEFT_OUT set. A
stage is called through the command line where it has a command that takes a study of one's own,
else through its functions.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from mtpeft import cli
from mtpeft.catalog import catalog
from mtpeft.core.records import (
    Mean,
    PublishedCell,
    ScoreSet,
    Test,
    Verdict,
    read_predictions,
    read_records,
    score_path,
    write_records,
)
from mtpeft.corpora import load
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import build_all
from mtpeft.reporting.stage import write_figures, write_tables
from mtpeft.statistics.compare import run_all
from mtpeft.statistics.means import drawn_means
from mtpeft.tuning.tiny import save_backbone, tiny_model, train_tokenizer
from mtpeft.verification.cells import judge_cells

LOUD, QUIET, UNTRAINED = RUNS = (
    "toy-tiny/st-fft/shouting",
    "toy-tiny/st-fft/quiet",
    "toy-tiny/st-lora/untrained",
)
CORPUS, SET = "shouting.corpus", "shouting-words"


def command(*arguments: str) -> None:
    """One `mtpeft` command in this process, which has loaded torch already."""
    try:
        cli.app(list(arguments), standalone_mode=False)
    except SystemExit as end:
        assert not end.code, f"mtpeft {arguments[0]}: exit code {end.code}"


def predictions(out: Path, run: str) -> Path:
    return out / "training" / "smoke" / run / "seed-42" / "smoke" / "predictions" / f"{SET}.jsonl"


def make_backbone(folder: Path) -> str:
    """A random model whose tokenizer has the toy's words."""
    tokenizer = train_tokenizer(
        [text for e in load(CORPUS, "shouting", "train") for text in (e.inputs["word"], e.target)],
        600,
    )
    save_backbone(folder, tokenizer, tiny_model(tokenizer, hidden=48, layers=1))
    return str(folder)


def tune_and_infer(backbone: str) -> None:
    """One run that learns to shout, one that learns not to, one that learns nothing."""
    base = ["--profile", "smoke", "--backbone", backbone]
    for run, corpus, epochs in (
        (LOUD, CORPUS, 60),
        (QUIET, "shouting.quiet", 60),
        (UNTRAINED, CORPUS, 1),
    ):
        changes = [
            f"--set={c}"
            for c in ("packing=none", "batch_size=8", "warmup_steps=2", f"epochs={epochs}")
        ]
        command("train", run, *base, "--corpus", corpus, *changes)
        command(
            "infer", run, *base, "--corpus", CORPUS, "--training", "smoke", "--dtype", "float32"
        )


def score(out: Path) -> ScoreSet:
    """Predictions of all runs → the score table of the toy metric."""
    together = out / "all.jsonl"
    together.write_bytes(b"".join(predictions(out, run).read_bytes() for run in RUNS))
    place = out / "archived" / "toy"
    command("score", str(together), "loudness", "--out", str(place), "--corpus", CORPUS)
    return ScoreSet.load(place)


def compare(out: Path, scores: ScoreSet) -> list[Test]:
    """Both protocols of the toy comparison."""
    known = catalog()
    tests = run_all(scores, list(known.of("comparisons", "toy")), known)
    write_records(out / "statistics" / "tests.csv", tests, Test)
    write_records(out / "statistics" / "means.csv", drawn_means(scores, known), Mean)
    return tests


def published(test: Test) -> list[PublishedCell]:
    """What a paper might have printed: the delta to four digits, and a p-value that nobody can get."""
    cell = PublishedCell(
        "toy:1:cliffs_delta",
        "toy_CLEAN.txt",
        1,
        "CLEAN",
        test.comparison,
        test.block,
        test.metric,
        "cliffs_delta",
        "holm",
        f"{test.cliffs_delta:.4f}",
    )
    return [cell, replace(cell, id="toy:1:p_adjusted", quantity="p_adjusted", printed="0.9876")]


def main(out: Path) -> dict[str, object]:
    """Everything, in the order in which data flows."""
    tune_and_infer(make_backbone(out / "backbone"))
    scores = score(out)
    tests = compare(out, scores)
    capitals = next(
        t for t in tests if t.metric == "loudness_capitals" and t.protocol == "as-published"
    )
    cells = published(capitals)
    verdicts = judge_cells(cells, tests, {}, {}, catalog())
    inputs = Inputs(catalog(), out / "archived", out / "published", out)
    write_records(out / "published" / "toy" / "statistics.csv", cells, PublishedCell)
    write_records(inputs.verdicts_path, verdicts, Verdict)
    tables = write_tables(["toy-compared", "toy-own"], inputs=inputs)
    figures = write_figures(["toy-figure"], inputs=inputs)
    sections = build_all(inputs, ("shouting.section",))
    return {
        "answers": {
            run: {p.instance_id: p.output for p in read_predictions(predictions(out, run))}
            for run in RUNS
        },
        "scores": str(score_path(out / "archived" / "toy", "loudness", SET)),
        "capitals": [capitals.mean_a, capitals.mean_b],
        "p": capitals.p,
        "read_back": len(read_records(inputs.tests_path, Test)) == len(tests),
        "verdicts": {v.id: v.verdict for v in verdicts},
        "tables": [str(p) for p in tables],
        "figures": [str(p) for p in figures],
        "sections": [str(s.body) for s in sections],
    }


if __name__ == "__main__":
    facts = main(Path(sys.argv[1]))
    Path(sys.argv[1], "facts.json").write_text(json.dumps(facts), encoding="utf-8")
