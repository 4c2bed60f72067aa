"""Tier T3: two sets of predictions of the same run, made from one adapter on two machines, say.

Equal strings are the best answer, and then nothing else is asked. Where some differ, a metric is
held against the interval of its mean difference over instances (paired percentile bootstrap, Efron
and Tibshirani 1993, chapter 13): it agrees where that interval holds 0. The instances that flipped
are listed, whatever the verdict.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.provenance import write_result
from mtpeft.core.records import (
    VERDICTS,
    Prediction,
    ScoreSet,
    Verdict,
    csv_text,
    read_predictions,
    records_text,
    write_atomic,
)

RESAMPLES = 10_000
RULE = "identical strings, else 0 inside the 95 % paired-bootstrap interval of the mean difference"
FLIPPED = ["run", "evaluation", "instance_id", "metric", "reference", "new"]
Flip = tuple[str, str, str, str, float | str, float | str]


def bootstrap_interval(
    differences: Sequence[float], seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of the mean of paired differences, shape [n]; deterministic."""
    values = np.asarray(differences, dtype=float)
    rng, means = np.random.default_rng(seed), []
    for _ in range(
        RESAMPLES // 100
    ):  # in pieces: n × 10,000 indices would take much memory for nothing
        means.append(values[rng.integers(0, len(values), (100, len(values)))].mean(axis=1))
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def compare(
    reference: Sequence[Prediction],
    new: Sequence[Prediction],
    reference_scores: ScoreSet | None = None,
    new_scores: ScoreSet | None = None,
    command: str = "",
) -> tuple[list[Verdict], list[Flip]]:
    """Verdicts and flipped instances of every run and evaluation set of `reference`.

    Strings are compared as the models wrote them. Scores: of the outputs on both sides; without
    them, strings that differ leave the verdict open (`not run`). A flip is an instance with another
    string (metric `string`) or another value of a metric.
    """
    verdicts: list[Verdict] = []
    flips: list[Flip] = []
    sides = [{(p.run, p.task): {} for p in side} for side in (reference, new)]
    for side, records in zip(sides, (reference, new), strict=True):
        for p in records:
            side[p.run, p.task][p.instance_id] = p
    for (run, task), old in sides[0].items():
        now = sides[1].get((run, task), {})
        common = [i for i in old if i in now]
        other = [i for i in common if old[i].raw_output != now[i].raw_output]
        asked = sum(old[i].prompt_sha256 != now[i].prompt_sha256 for i in common)
        missing = len(old.keys() ^ now.keys())
        said = (
            f"{len(common) - len(other)} of {len(common)} strings identical"
            + (f"; {missing} instances on one side only" if missing else "")
            + (f"; {asked} prompts differ" if asked else "")
        )
        flips += [(run, task, i, "string", "", "") for i in other]
        name = f"{run} {task}"
        if not common:
            verdicts.append(
                _verdict(f"{name} strings", "", "not run", "no instance on both sides", command)
            )
        elif not other and not missing:
            verdicts.append(_verdict(f"{name} strings", "100 %", "exact", said, command))
        else:
            made, changed = _by_metric(
                run, task, common, reference_scores, new_scores, said, command
            )
            verdicts += made or [
                _verdict(
                    f"{name} strings",
                    f"{1 - len(other) / len(common):.1%}",
                    "not run",
                    f"{said}; score both sides",
                    command,
                )
            ]
            flips += changed
    return verdicts, flips


def _by_metric(
    run: str,
    task: str,
    ids: Sequence[str],
    old: ScoreSet | None,
    new: ScoreSet | None,
    said: str,
    command: str,
) -> tuple[list[Verdict], list[Flip]]:
    verdicts: list[Verdict] = []
    flips: list[Flip] = []
    metrics = sorted(
        {
            m
            for (_, t), frame in (old.tables.items() if old else ())
            if t == task
            for m in frame.columns[4:]
        }
    )
    for metric in metrics:
        if not (old and new and old.has(run, task, metric) and new.has(run, task, metric)):
            continue
        a, b = (
            dict(zip(c.ids, c.value, strict=True))
            for c in (old.column(run, task, metric), new.column(run, task, metric))
        )
        pairs = [i for i in ids if i in a and i in b and a[i] == a[i] and b[i] == b[i]]
        if not pairs:
            verdicts.append(
                _verdict(
                    f"{run} {task} {metric}",
                    "",
                    "not run",
                    f"no instance has a value on both sides; {said}",
                    command,
                )
            )
            continue
        flips += [(run, task, i, metric, float(a[i]), float(b[i])) for i in pairs if a[i] != b[i]]
        change = [b[i] - a[i] for i in pairs]
        low, high = bootstrap_interval(change)
        verdicts.append(
            _verdict(
                f"{run} {task} {metric}",
                f"{np.mean([b[i] for i in pairs]):.4g}",
                "within tolerance" if low <= 0 <= high else "differs",
                f"mean difference {np.mean(change):+.4g} [{low:+.4g}, {high:+.4g}], {len(pairs)} pairs; {said}",
                command,
                f"{np.mean([a[i] for i in pairs]):.4g}",
            )
        )
    return verdicts, flips


def _verdict(
    name: str, found: str, verdict: str, reason: str, command: str, archived: str = ""
) -> Verdict:
    return Verdict(
        id=name,
        tier="T3",
        kind="answers",
        published="",
        archived=archived,
        regenerated=found,
        tolerance=RULE,
        tolerance_source="paired bootstrap",
        verdict=verdict,
        reason=reason,
        command=command,
    )


def read(path: Path) -> list[Prediction]:
    """The predictions of a file. Raises `BadInput`, naming the line, for one that cannot be used."""
    records = []
    for record in read_predictions(path):
        if isinstance(record, BadInput):
            raise record
        records.append(record)
    return records


def run(
    reference: Path, new: Path, reference_scores: Path | None, new_scores: Path | None, name: str
) -> int:
    """Compare two files; write `verification/answers/<name>.csv` and `<name>.flipped.csv` below the
    regenerated results.

    reference_scores, new_scores: folders with `scores/<tool>/<evaluation>.csv`. Returns 1 where a
    metric differs, else 0.
    """
    if (reference_scores is None) != (new_scores is None):
        raise MtpeftError(
            "scores of one side only",
            "both, or none",
            "--reference-scores FOLDER --new-scores FOLDER",
        )
    folders = [folder for folder in (reference_scores, new_scores) if folder is not None]
    scores = [ScoreSet.load(folder) for folder in folders] or [None, None]
    command = f"mtpeft compare-predictions {reference} {new}"
    verdicts, flips = compare(read(reference), read(new), *scores, command=command)
    path = paths.REGENERATED / "verification" / "answers" / f"{name}.csv"
    write_atomic(path.with_suffix(".flipped.csv"), csv_text(FLIPPED, flips))
    inputs = [
        reference,
        new,
        *(p for folder in folders for p in sorted((folder / "scores").glob("*/*.csv"))),
    ]
    write_result(path, records_text(verdicts, Verdict), inputs)
    for v in verdicts:
        figures = " -> ".join(filter(None, [v.archived, v.regenerated]))
        print(f"{v.verdict:17} {v.id}: {figures + '; ' if figures else ''}{v.reason}")
    flipped = sorted({f[2] for f in flips})
    if flipped:
        print(
            f"T3: {len(flipped)} instances flipped ({', '.join(flipped[:10])}{', …' if len(flipped) > 10 else ''}): "
            f"{paths.shown(path.with_suffix('.flipped.csv'))}"
        )
    counts = Counter(v.verdict for v in verdicts)
    print(
        f"T3: {', '.join(f'{counts[n]} {n}' for n in VERDICTS if counts[n])} -> {paths.shown(path)}"
    )
    return 1 if any(v.unexplained for v in verdicts) else 0
