"""What was trained here, by run and seed, against archive, claims and published figures (T4).

Runs that write text are judged by the scores of their answers, instance by instance; runs with a head
for each task by the test values that training left, against what their study published.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.catalog import Catalog, Run, catalog
from mtpeft.catalog.places import score_roots, with_figures
from mtpeft.catalog.schema import Edition
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.finished import FINISHED, outcome
from mtpeft.core.provenance import write_result
from mtpeft.core.records import VERDICTS, ScoreSet, Verdict, read_predictions, records_text
from mtpeft.statistics.figures import FigureSet
from mtpeft.verification.seeds import (
    CLAIM,
    MEAN,
    against_seeds,
    bonferroni,
    judge_claims,
    judge_means,
    unjudged,
)


def seeds_of(training: str, run: str) -> dict[int, Path]:
    """The folders of a run's seeds, by seed."""
    folders = paths.seed_folder(training, run, 0).parent.glob("seed-*")
    numbers = {f: f.name.removeprefix("seed-") for f in folders}
    return {int(n): f for f, n in sorted(numbers.items()) if n.isdecimal()}


def judge_figures(known: Catalog, training: str, command: str) -> tuple[list[Verdict], list[Path]]:
    """Verdicts on the figures of runs whose heads were trained here: of each study that published
    figures, in every edition that has one for the run.

    A published figure is one draw, like an archived run; all figures of a run in an edition share
    one level. It is `not run` where the test set here is not as large as the study's.

    Args:
        known: The catalog.
        training: The training profile whose folders are read.
        command: The command that makes these verdicts again.

    Returns:
        The verdicts, and the files that they rest on.

    Raises:
        BadInput: A file of a finished seed is damaged.
    """
    verdicts: list[Verdict] = []
    files: list[Path] = []
    for study in (s for s in with_figures(known) if s.numbers):
        published = FigureSet.of(study)
        for entry in (r for r in known.of("runs", study.id) if not r.withdrawn):
            marks = {s: f / FINISHED for s, f in seeds_of(training, entry.id).items()}
            marks = {seed: path for seed, path in marks.items() if path.is_file()}
            if not marks:
                continue
            kept = {seed: outcome(path).kept for seed, path in marks.items()}
            if not all("test" in values for values in kept.values()):
                continue  # a language model: it is judged by its scores
            sizes = {t: _tested(known, t, [p.parent for p in marks.values()]) for t in entry.tasks}
            tested = {
                seed: {t: _value(path, kept[seed], t, published.metric(t)) for t in entry.tasks}
                for seed, path in marks.items()
            }
            for edition in published.editions:
                verdicts += _figures(published, edition, entry, tested, sizes, command)
            files += marks.values()
    return verdicts, files


def _figures(
    published: FigureSet,
    edition: Edition,
    entry: Run,
    tested: Mapping[int, Mapping[str, float]],
    sizes: Mapping[str, set[int]],
    command: str,
) -> list[Verdict]:
    """The verdicts on one run's figures in one edition."""
    setting = {1: "single", len(published.tasks): "multi"}.get(len(entry.tasks), "pair")
    targets = {
        task: published.score(edition, setting, entry.backbone, entry.method, task, entry.tasks)
        for task in entry.tasks
    }
    targets = {task: value for task, value in targets.items() if not math.isnan(value)}
    found = []
    for task, target in targets.items():
        metric = published.metric(task)
        name = f"{entry.id} {task} {metric} ({edition.label})"
        wanted = published.sets[task, "test"].examples
        about = f"{wanted:,} test examples"
        if sizes[task] != {wanted}:
            here = ", ".join(f"{n:,}" for n in sorted(sizes[task])) or "no predictions"
            why = f"test set here: {here}; the study's: {about}"
            found.append(unjudged(name, "not run", why, command, about))
            continue
        values = {seed: 100 * of_seed[task] for seed, of_seed in tested.items()}
        level = bonferroni(len(targets))
        found.append(against_seeds(name, MEAN, target, values, True, about, command, level))
    return found


def _value(path: Path, kept: Mapping[str, Any], task: str, metric: str) -> float:
    """The test value that a finished seed keeps of a task, a proportion.

    Raises:
        BadInput: It keeps none.
    """
    try:
        value = kept["test"][task][metric]
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{metric} is {value!r}")
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            path,
            f"no test value of {task}: {error}",
            f"{metric} of every task",
            f"rm -r {paths.shown(path.parent)}, then train again",
        ) from error
    return float(value)


def _tested(known: Catalog, task: str, seeds: Sequence[Path]) -> set[int]:
    """How many test examples of a task each seed answered; the same number, if all is well."""
    names = [e.id for e in known.tasks[task].evaluations]
    files = [
        path
        for seed in seeds
        for name in names
        if (path := seed / "predictions" / f"{name}.jsonl").is_file()
    ]
    return {sum(1 for _ in read_predictions(path)) for path in files}


def run(training: str, inference: str) -> int:
    """Judge every run that was trained and scored here →
    results/regenerated/verification/seeds.csv.

    Args:
        training: The training profile whose folders are read.
        inference: The inference profile whose scores are read.

    Returns:
        The exit code: 1 where a difference has no cause, 2 where something could not be judged,
        else 0.

    Raises:
        MtpeftError: Nothing was scored.
    """
    known = catalog()
    trained: dict[str, dict[int, ScoreSet]] = {}
    inputs: list[Path] = []
    for entry in (r for r in known.runs.values() if not r.withdrawn):
        for seed, folder in seeds_of(training, entry.id).items():
            place = paths.answers_folder(folder, inference)
            if tables := sorted((place / "scores").glob("*/*.csv")):
                trained.setdefault(entry.id, {})[seed] = ScoreSet.load(place)
                inputs += tables
    command = f"mtpeft verify seeds --training {training} --inference {inference}"
    figures, marks = judge_figures(known, training, command)
    if not trained and not figures:
        raise MtpeftError(
            f"no scores of trained runs under {paths.shown(paths.REGENERATED / 'training' / training)}",
            f"RUN/seed-N/{inference}/scores, or heads of a study with published figures",
            "make train-RUN infer-RUN score-RUN",
        )
    inputs += marks
    verdicts = [
        *judge_claims(known, trained, command),
        *judge_means(ScoreSet.load(*score_roots(known)), trained, command),
        *figures,
    ]
    if not verdicts:
        raise MtpeftError(
            f"nothing was published or archived of {', '.join(sorted(trained))}",
            "runs of a study with archived scores or published figures",
            "mtpeft compare A B holds runs of yours against each other",
        )
    path = paths.REGENERATED / "verification" / "seeds.csv"
    write_result(
        path, records_text(verdicts, Verdict), inputs, training=training, inference=inference
    )
    for v in verdicts:
        if v.kind == CLAIM or v.verdict != "within tolerance":
            said = f"{v.published or v.archived}, here {v.regenerated}; " if v.regenerated else ""
            print(f"{v.verdict:17} {v.id}: {said}{v.reason}")
    counts = Counter(v.verdict for v in verdicts)
    print(
        f"T4: {', '.join(f'{counts[name]} {name}' for name in VERDICTS if counts[name])} -> {paths.shown(path)}"
    )
    if any(v.unexplained for v in verdicts):
        return 1
    return 2 if counts["not run"] else 0
