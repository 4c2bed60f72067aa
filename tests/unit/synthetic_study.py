"""A small made-up study, and how its outputs print when something went wrong on the way.

`honest_study` gives catalog and scores. `printed` prints a comparison's outputs as the studies'
scripts do, from what a `Crime` says was read, tested and adjusted instead. Nothing here uses the
package's own pairing, tests or search.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from mtpeft.catalog import (
    Backbone,
    Block,
    Catalog,
    Comparison,
    Evaluation,
    Method,
    Metric,
    Output,
    Run,
    Study,
    Task,
    Tool,
)
from mtpeft.core.records import PublishedCell, ScoreSet
from reference import adjust, cliff, wilcoxon
from scipy import stats

INSTANCES = {"code-x": 60, "code-y": 48}
COUNTS, TEXTS = ("lines", "tokens", "depth"), ("overlap", "closeness")
MISSING = {("b1/mt-q", "code-x"): [7], ("b2/mt-q", "code-x"): [3, 30], ("b2/mt-f", "code-x"): [12]}


def catalog() -> Catalog:
    """Three sizes, four runs each, two evaluation sets, three tools, two comparisons."""
    evaluations = [Evaluation(name, name, "java", n) for name, n in INSTANCES.items()]
    tasks = {
        "code": Task("code", "Code", "CO", "none", "code", evaluations),
        "text": Task("text", "Text", "TE", "none", "code", []),
    }
    runs = {}
    for size in (1, 2, 3):
        both = ["code", "text"]
        for regime, method, of in (
            ("st", "q", both[:1]),
            ("st", "q", both[1:]),
            ("mt", "q", both),
            ("mt", "f", both),
        ):
            name = f"b{size}/{regime}-{method}" + (f"/{of[0]}" if regime == "st" else "")
            runs[name] = Run(name, "own", f"b{size}", method, regime, of)
    counter = Tool(
        "counter",
        "Counter",
        "1",
        "none",
        ["code", "text"],
        [Metric(m, m, "lower", [m], m, low=0) for m in COUNTS],
        unparseable_when=dict.fromkeys(COUNTS, 0.0),
    )
    texter = Tool(
        "texter",
        "Texter",
        "1",
        "none",
        ["code", "text"],
        [Metric(m, m, "higher", [m], m, low=0, high=1) for m in TEXTS],
    )
    passing = Metric("pass@1", "pass@1", "higher", ["pass@1"], "passed", low=0, high=1, grid=1)
    exam = Tool("exam", "Exam", "1", "none", ["code", "text"], [passing])
    sizes = [Block(str(size), f"b{size}/st-q/code", f"b{size}/mt-q") for size in (1, 2, 3)]
    effects = Comparison(
        "effects",
        "own",
        "RQ1",
        "Effects",
        "wilcoxon",
        "code-x",
        "id",
        "block",
        "holm",
        "ST",
        "MT",
        sizes,
        [*COUNTS, *TEXTS],
        _outputs("effects"),
    )
    passes = replace(
        effects,
        id="passes",
        title="Passes",
        test="mcnemar",
        family="comparison",
        metrics=["pass@1"],
        outputs=_outputs("passes_mcnemar"),
    )
    backbones = {
        f"b{s}": Backbone(f"b{s}", f"B{s}", f"{s}B", "x/y", "", "decoder") for s in (1, 2, 3)
    }
    return Catalog(
        studies={"own": Study("own", Path("nowhere"), tasks=list(tasks))},
        tasks=tasks,
        backbones=backbones,
        methods={m: Method(m, m, {}) for m in "qf"},
        runs=runs,
        tools={t.id: t for t in (counter, texter, exam)},
        comparisons={c.id: c for c in (effects, passes)},
    )


def _outputs(name: str) -> list[Output]:
    return [Output(f"{name}_{variant}.txt", variant, "holm") for variant in ("CLEAN", "RAW")]


def score_set(known: Catalog, seed: int = 0) -> ScoreSet:
    """Scores of every run that was evaluated on code; some outputs unparseable, some rows missing,
    effects of all sizes.
    """
    generator = np.random.default_rng(seed)
    tables: dict[tuple[str, str], pd.DataFrame] = {}
    for task, n in INSTANCES.items():
        ids = [f"{task}-{i:03d}" for i in range(n)]
        difficulty = generator.gamma(4, 2, n)
        parts: dict[str, list[pd.DataFrame]] = {"counter": [], "texter": [], "exam": []}
        for run in (r.id for r in known.runs.values() if "code" in r.tasks):
            gain = generator.normal(0, 0.25)
            lines = np.round(difficulty * 2 * np.exp(gain + generator.normal(0, 0.3, n))) + 1
            values = {
                "lines": lines,
                "tokens": np.round(lines * generator.uniform(6, 9, n)),
                "depth": np.round(generator.gamma(2, 1, n) + 1),
                "overlap": np.clip(generator.beta(2, 3, n) + gain / 4, 0, 1),
                "closeness": generator.beta(5, 2, n),
                "pass@1": (generator.random(n) < 0.35).astype(float),
            }
            lost = generator.random(n) < 0.1
            for name in COUNTS:
                values[name][lost] = 0
            keep = [i for i in range(n) if i not in MISSING.get((run, task), [])]
            for tool, frames in parts.items():
                own = {m.id: values[m.id][keep] for m in known.tools[tool].metrics}
                frames.append(
                    pd.DataFrame(
                        {
                            "run": run,
                            "row": range(1, len(keep) + 1),
                            "instance_id": [ids[i] for i in keep],
                            "status": "ok",
                            **own,
                        }
                    )
                )
        for tool, frames in parts.items():
            tables[tool, task] = pd.concat(frames, ignore_index=True)
    return ScoreSet(Path("."), tables)


# ---------------------------------------------------------------- crimes


@dataclass(frozen=True)
class Read:
    """Which scores a script really read at one place."""

    a: str
    b: str
    task: str
    metric: str
    pairing: str
    drop: bool = False


def as_meant(block: str, metric: str, read: Read) -> Read:
    return read


@dataclass(frozen=True)
class Crime:
    """What a script did otherwise than stated. read: (block, metric, what was meant) → what was
    read.

    correction, scope and continuity may depend on (variant, block).
    """

    read: Callable[[str, str, Read], Read] = as_meant
    correction: Callable[[str, str], str] = lambda variant, block: "holm"
    scope: Callable[[str], str] = lambda variant: "stated"
    continuity: bool = False


HONEST = Crime()


def _values(scores: ScoreSet, known: Catalog, read: Read) -> tuple[np.ndarray, np.ndarray]:
    tool = next(t for t in known.tools.values() if read.metric in {m.id for m in t.metrics})
    table = scores.tables[tool.id, read.task]
    sides = []
    for run in (read.a, read.b):
        rows = table[table["run"] == run]
        if read.drop and tool.unparseable_when:
            rows = rows[~(rows[list(tool.unparseable_when)] == 0).all(axis=1)]
        sides.append(rows.set_index("instance_id")[read.metric])
    if read.pairing == "id":
        common = [i for i in sides[0].index if i in sides[1].index]
        return sides[0][common].to_numpy(), sides[1][common].to_numpy()
    n = min(map(len, sides))
    return sides[0].to_numpy()[:n], sides[1].to_numpy()[:n]


def seven(value: float) -> str:
    return "NA" if math.isnan(value) else f"{value:.7g}"


def four(value: float) -> str:
    return "NA" if math.isnan(value) else f"{value:.4f}"


def _size(delta: float) -> str:
    bounds = ((0.147, "negligible"), (0.33, "small"), (0.474, "medium"), (2, "large"))
    return next(name for bound, name in bounds if abs(delta) < bound)


def printed(
    comparison: Comparison, scores: ScoreSet, known: Catalog, crime: Crime = HONEST
) -> list[PublishedCell]:
    """Every cell of a comparison's outputs, as its scripts print them under a crime."""
    results = {}
    for block in comparison.blocks:
        for metric in comparison.metrics:
            read = crime.read(
                block.id,
                metric,
                Read(block.a, block.b, comparison.task, metric, comparison.pairing),
            )
            results[block.id, metric] = _result(
                comparison, *_values(scores, known, read), crime.continuity
            )
    cells = []
    for output in comparison.outputs:
        scope = crime.scope(output.variant)
        scope = comparison.family if scope == "stated" else scope
        families: dict[str, list[tuple[str, str]]] = {}
        for place in results:
            families.setdefault(place[0] if scope == "block" else "", []).append(place)
        line = 0
        for places in families.values():
            corrected = adjust(
                [results[p]["p"] for p in places], crime.correction(output.variant, places[0][0])
            )
            for place, p in zip(places, corrected, strict=True):
                line += 1
                cells += [
                    PublishedCell(
                        f"{comparison.id}:{output.variant}:{place[0]}:{place[1]}:{quantity}",
                        output.file,
                        line,
                        output.variant,
                        comparison.id,
                        *place,
                        quantity,
                        output.adjustment,
                        text,
                    )
                    for quantity, text in _texts(comparison, output, results[place], p).items()
                ]
        cells.append(
            PublishedCell(
                f"{comparison.id}:{output.variant}:label",
                output.file,
                line + 1,
                output.variant,
                comparison.id,
                "",
                "",
                "correction_label",
                output.adjustment,
                "Holm-Bonferroni",
            )
        )
    return cells


def _result(
    comparison: Comparison, a: np.ndarray, b: np.ndarray, continuity: bool
) -> dict[str, float]:
    if comparison.test == "wilcoxon":
        return dict(zip(("delta", "low", "high"), cliff(a, b, quirk=True), strict=True)) | {
            "p": wilcoxon(a, b, continuity)
        }
    both, only_a, only_b, neither = (
        int(((a == x) & (b == y)).sum()) for x, y in ((1, 1), (1, 0), (0, 1), (0, 0))
    )
    chi = (abs(only_a - only_b) - (only_a != only_b)) ** 2 / max(only_a + only_b, 1)
    return {
        "both_pass": both,
        "a_only": only_a,
        "b_only": only_b,
        "both_fail": neither,
        "p": float(stats.chi2.sf(chi, 1)),
        "odds_ratio": (only_a + 0.5) / (only_b + 0.5),
    }


def _texts(
    comparison: Comparison, output: Output, result: dict[str, float], p: float
) -> dict[str, str]:
    if comparison.test == "mcnemar":
        counts = (
            ("a_only", "b_only")
            if output.variant == "CLEAN"
            else ("both_pass", "a_only", "b_only", "both_fail")
        )
        return {
            "p": f"{result['p']:.6f}",
            "p_adjusted": f"{p:.6f}",
            "odds_ratio": four(result["odds_ratio"]),
            **{name: str(result[name]) for name in counts},
        }
    if output.variant == "CLEAN":
        return {
            "p_adjusted": four(p),
            "cliffs_delta": four(result["delta"]),
            "significant": "NA" if math.isnan(p) else "Yes" if p < 0.05 else "No",
        }
    return {
        "cliffs_delta": seven(result["delta"]),
        "magnitude": _size(result["delta"]),
        "ci_low": seven(result["low"]),
        "ci_high": seven(result["high"]),
        "p_adjusted": seven(p),
    }
