"""The tables of a study of ours laid out for reading: claims, values, tests, cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from mtpeft.catalog import Study
from mtpeft.reporting.marks import MISSING, p_text
from mtpeft.reporting.names import BETTER, REGIMES, Names, inside
from mtpeft.reporting.own_runs import interval, number

Frames = Mapping[str, pd.DataFrame]
SETTINGS = {"multi": "all tasks", "pair": "two tasks", "single": "one task"}


@dataclass(frozen=True)
class Digest:
    """A table for reading.

    Attributes:
        title: What it shows.
        note: How to read it.
        head: Its columns.
        rows: Its cells as text.
    """

    title: str
    note: str
    head: list[str]
    rows: list[list[str]]


def digests(study: Study, frames: Frames, names: Names) -> list[Digest]:
    """What the tables of a study say, a digest each; what a study has no table of is left out.

    Args:
        study: A study that is run here.
        frames: Its tables by the names of their files, cells as text.
        names: The titles of the catalog.
    """
    makers: list[Callable[[Study, Frames, Names], list[Digest]]] = [
        _claims,
        _over_seeds,
        _means,
        _tests,
        _overlaps,
        _trainings,
        _stages,
    ]
    read = {name: _with_numbers(frame) for name, frame in frames.items()}
    return [digest for make in makers for digest in make(study, read, names)]


def _with_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """A table with numbers in the columns that hold nothing else; an empty cell is NaN there."""

    def read(column: "pd.Series[str]") -> "pd.Series[str] | pd.Series[float]":
        numbers = pd.to_numeric(column.where(column != ""), errors="coerce")
        return numbers if (numbers.notna() == (column != "")).all() else column

    return frame.apply(read)


def _claims(_: Study, frames: Frames, names: Names) -> list[Digest]:
    if "claims" not in frames:
        return []
    rows = [
        [c.id, c.text, *(names.words(str(t)) for t in (c.published, c.here, c.reason))]
        for c in frames["claims"].itertuples()
    ]
    note = "The same rule on both sides: on the figures that the study published, and on those trained here."
    return [
        Digest("Claims", note, ["Claim", "It says", "Published figures", "Here", "Why here"], rows)
    ]


def _over_seeds(study: Study, frames: Frames, names: Names) -> list[Digest]:
    if "seeds" not in frames or study.numbers is None:
        return []
    found = frames["seeds"]
    found = found[(found.quantity == "score") & found.setting.isin(["multi", "single"])]
    tasks = [t for t in study.numbers.tasks if t.id in set(found.task)]
    rows = []
    for keys, group in found.groupby(["backbone", "setting", "method"], sort=False):
        backbone, setting, method = map(str, keys)
        cells = {r.task: f"{r.mean:.1f}{interval(r.low, r.high)}" for r in group.itertuples()}
        shown = study.numbers.methods.get(method, method)
        title = names.known.backbones[backbone].title
        rows.append(
            [f"{title}, {shown}", SETTINGS[setting], *(cells.get(t.id, MISSING) for t in tasks)]
        )
    seeds = "–".join(sorted({str(n) for n in found.seeds}))
    head = ["Run", "Trained on", *(f"{names.task(t.id)} ({t.metric.upper()})" for t in tasks)]
    note = f"Percent; mean over {seeds} seeds, in brackets the 95 % interval of the mean (Student's t)."
    return [Digest("Test values", note, head, rows)]


def _arm(name: str, names: Names) -> str:
    run = names.known.runs.get(name)
    if run is None:
        return name
    if run.regime == "untuned":
        return "base model"
    method = inside(names.known.methods[run.method].title)
    return f"{REGIMES.get(run.regime, run.regime)} {method}"


def _measured(evaluation: str, metric: str, names: Names) -> str:
    found = names.known.metrics().get(metric)
    arrow = BETTER[found[1].better] if found else ""
    return f"{names.evaluation(evaluation)}: {names.metric(metric)}{arrow and ' ' + arrow}"


def _means(_: Study, frames: Frames, names: Names) -> list[Digest]:
    if "scores" not in frames:
        return []
    frame = frames["scores"]
    arms = list(dict.fromkeys(_arm(run, names) for run in frame.run))
    rows = []
    for keys, group in frame.groupby(["evaluation", "metric"], sort=True):
        cells: dict[str, str] = {}
        for row in group.itertuples():
            short = f" (n {row.n})" if row.without_value else ""
            cells[_arm(row.run, names)] = number(row.mean) + short
        what = _measured(str(keys[0]), str(keys[1]), names)
        rows.append([what, str(max(group.n)), *(cells.get(arm, MISSING) for arm in arms)])
    note = (
        "Means over the instances that have a value; n where some have none. "
        "A single-task run has the evaluation sets of its own task."
    )
    return [Digest("Means", note, ["Measured", "n", *arms], rows)]


def _tests(study: Study, frames: Frames, names: Names) -> list[Digest]:
    if "contrasts" not in frames:
        return []
    titles = {q.id: q.title for q in study.questions}
    head = ["Measured", "A", "B", "n", "A", "B", "B − A", "p, adjusted", "Effect"]
    made = []
    for question, group in frames["contrasts"].groupby("question", sort=False):
        rows = [
            [
                _measured(str(c.evaluation), c.metric, names),
                _arm(c.run_a, names),
                _arm(c.run_b, names),
                str(c.n),
                number(c.mean_a),
                number(c.mean_b),
                number(c.difference, "+") + interval(c.low, c.high),
                p_text(c.p_adjusted, MISSING),
                MISSING
                if pd.isna(c.effect)
                else f"{number(c.effect)}{interval(c.effect_low, c.effect_high)}",
            ]
            for c in group.itertuples()
        ]
        tests = pd.Series(group.p_adjusted).dropna()
        note = (
            f"{sum(tests < 0.05)} of {len(tests)} tests below 0.05 after Holm's rule over all of them. Paired by "
            "instance; Wilcoxon's signed ranks with the rank-biserial correlation, McNemar's test with the odds "
            "ratio for what is 0 or 1; 95 % intervals in brackets."
        )
        made.append(Digest(titles.get(str(question), str(question)), note, head, rows))
    return made


def _overlaps(_: Study, frames: Frames, names: Names) -> list[Digest]:
    if "near-duplicates" not in frames:
        return []
    rows = [
        [
            names.task(str(one.task)),
            *(str(n) for n in (one.train, one.test)),
            f"{one.near} ({one.near / one.test:.0%})",
            *(str(n) for n in (one.same, one.other_label)),
        ]
        for one in frames["near-duplicates"].itertuples()
    ]
    head = [
        "Task",
        "Training examples",
        "Test instances",
        "Near-duplicates",
        "Same text",
        "Other class",
    ]
    note = (
        "Test instances with a text that the training set holds, too: Jaccard index of at least 0.8; the same but "
        "for names, layout and comments; and of another class there. The values above are over all instances."
    )
    return [Digest("What training and test share", note, head, rows)]


def _trainings(study: Study, frames: Frames, names: Names) -> list[Digest]:
    if "training" not in frames:
        return []
    rows = []
    for name, group in frames["training"].groupby("run", sort=False):
        run = names.known.runs[str(name)]
        if study.numbers is not None and len(run.tasks) < len(study.numbers.tasks):
            continue
        rows.append(
            [
                names.run(run.id),
                f"{group.trained.iloc[0]:,}",
                f"{group.flops.mean() / 1e12:.2f}",
                f"{group.tokens.mean():,.0f}",
                f"{group.cpu_seconds.mean():.0f}",
            ]
        )
    head = ["Run", "Trained parameters", "TFLOP", "Tokens", "CPU seconds"]
    note = "Runs on all tasks; heads are not counted among the parameters. Means over the seeds."
    return [Digest("What training costs", note, head, rows)] if rows else []


def _stages(_: Study, frames: Frames, names: Names) -> list[Digest]:
    if "cost" not in frames or "stage" not in frames["cost"]:
        return []
    frame = frames["cost"]
    rows = []
    for keys, group in frame.groupby(["backbone", "stage"], sort=False):
        backbone = names.known.backbones[str(keys[0])].title
        wall, cpu = (group[c].sum() / 60 for c in ("seconds", "cpu_seconds"))
        rows.append([backbone, str(keys[1]), str(len(group)), f"{wall:.1f}", f"{cpu:.1f}"])
    wall, cpu = (frame[c].sum() / 60 for c in ("seconds", "cpu_seconds"))
    rows.append(["all", "all", str(len(frame)), f"{wall:.1f}", f"{cpu:.1f}"])
    note = "Wall time grows with whatever else a machine does; CPU time is the stages' own."
    head = ["Backbone", "Stage", "Times", "Wall minutes", "CPU minutes"]
    return [Digest("Time", note, head, rows)]
