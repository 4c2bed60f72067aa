"""A whole study in miniature, written by hand: catalog, scores, printed statistics, tests,
verdicts, audit.

Every number in it was made up for the tests of the report; golden tables below are worked out from
these by eye.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd
from mtpeft.catalog import load
from mtpeft.core.records import (
    Mean,
    PublishedCell,
    Test,
    Verdict,
    write_frame,
    write_records,
    write_scores,
)
from mtpeft.reporting.inputs import Inputs

NAN = float("nan")
CATALOG = {
    "study.yaml": """
title: A study of poems
methods: [toy-fft, toy-qlora]
tasks: [writing]
""",
    "dialect.py": """
from mtpeft.core.outputs import ArchivedRun, PredictionSet

FRAMES = {}
RUNS = (
    ArchivedRun("toy-1b/st-qlora/writing", "1b", "st_toy-qlora", "out"),
    ArchivedRun("toy-1b/mt-qlora", "1b", "mt_toy-qlora", "out"),
)
PREDICTIONS = (
    PredictionSet("writing-verse", "someone/outputs", "", "english", ".txt", RUNS, 6, ""),
)


def unit_of(instance_id, language):
    return instance_id
""",
    "tasks/writing.yaml": """
id: writing
title: Writing
abbreviation: WR
module: none
output: text
corpus: "ten poems | one line each"
training_examples: "8"
reference: "two poems"
evaluations:
  - {id: writing-verse, title: "Verse", language: english, instances: 3}
""",
    "backbones/toy-1b.yaml": """
id: toy-1b
title: Toy-1B
label: 1B
hub: none
revision: ""
kind: decoder
""",
    "methods/qlora.yaml": """
id: toy-qlora
title: QLoRA
tuning: {lora_rank: 8, double_quantisation: true, schedule: {name: cosine, warmup_steps: 10}, targets: [q_proj, v_proj]}
""",
    "methods/fft.yaml": """
id: toy-fft
title: Full fine-tuning
tuning: {learning_rate: 1.0e-4, schedule: {name: cosine}}
""",
    "runs/toy-1b.yaml": """
- {id: toy-1b/st-qlora/writing, backbone: toy-1b, method: toy-qlora, regime: st, tasks: [writing]}
- {id: toy-1b/mt-qlora, backbone: toy-1b, method: toy-qlora, regime: mt, tasks: [writing]}
""",
    "tools/meter.yaml": """
id: meter
title: Meter
version: "1.0"
module: none
reads: [text]
about: "Counts `feet`."
archive: {meter: writing-verse}
metrics:
  - {id: rhyme, title: Rhyme, better: higher, printed: [R], column: r, low: 0, high: 1, percent: true}
  - {id: feet, title: Feet_per_line, better: neither, printed: [F], column: f, low: 0}
""",
    "tools/exec.yaml": """
id: exec
title: Recital
version: "2"
module: none
reads: [text]
archive: {exec: writing-verse}
metrics:
  - {id: pass@1, title: pass@1, better: higher, printed: [pass@1], column: p, low: 0, high: 1, percent: true}
""",
    "comparisons/quality.yaml": """
id: quality
question: RQ1
title: "Verse: ST vs MT"
test: wilcoxon
task: writing-verse
pairing: position
family: block
adjustment: holm
side_a: ST
side_b: MT
blocks: [{id: 1b, a: toy-1b/st-qlora/writing, b: toy-1b/mt-qlora}]
metrics: [rhyme, feet]
outputs: []
""",
    "comparisons/passes.yaml": """
id: passes
question: RQ1
title: "pass@1 of verse: ST vs MT"
test: mcnemar
task: writing-verse
pairing: id
family: comparison
adjustment: bh
side_a: ST
side_b: MT
blocks: [{id: verse-1b, a: toy-1b/st-qlora/writing, b: toy-1b/mt-qlora}]
metrics: [pass@1]
outputs: []
""",
    "tables/tables.yaml": """
- {id: table-1, number: "1", title: Corpora, kind: corpora}
- {id: table-2, number: "2", title: Tools, kind: tools}
- {id: table-3, number: "3", title: Configuration, kind: configuration}
- {id: table-4, number: "4", title: "Quality, 100 %", kind: comparison, comparisons: [quality]}
- {id: table-5, number: "5", title: Passes, kind: comparison, comparisons: [passes]}
""",
    "figures/figures.yaml": """
- {id: figure-1, number: "1", title: Slope, kind: slope, options: {panels: [
    {comparison: passes, evaluation: writing-verse, metric: pass@1},
    {comparison: quality, evaluation: writing-verse, metric: rhyme}]}}
- {id: figure-2, number: "2", title: Sizes, kind: sizes, options: {panels: [
    {evaluation: writing-verse, metric: pass@1, printed: [passes]}]}}
- {id: figure-3, number: "3", title: Effects, kind: forest, options: {comparisons: [passes, quality]}}
""",
    "claims/claims.yaml": """
- {id: C1, text: "MT rhymes <b>more</b>.", source: nowhere, kind: validation_chosen, table: table-4, options: {}}
- {id: C2, text: "MT recites.", source: nowhere, kind: validation_chosen, options: {}}
""",
}

SCORES = {
    ("meter", "rhyme"): {"st": [0.5, 0.25, 0.0], "mt": [0.75, 0.25, 0.5]},
    ("meter", "feet"): {"st": [4, 5, 6], "mt": [4, 5, 6]},
    ("exec", "pass@1"): {"st": [1, 0, 0], "mt": [1, 1, 0]},
}
RUNS = {"st": "toy-1b/st-qlora/writing", "mt": "toy-1b/mt-qlora"}

_TEST = Test(
    comparison="quality",
    block="1b",
    task="writing-verse",
    run_a=RUNS["st"],
    run_b=RUNS["mt"],
    metric="rhyme",
    protocol="as-published",
    test="wilcoxon",
    pairing="position",
    n_a=3,
    n_b=3,
    n_pairs=3,
    n_dropped=0,
    dropped_ids="",
    mean_a=0.25,
    mean_b=0.5,
    statistic=0.0,
    p=0.02,
    family="quality/1b",
    m=1,
    p_holm=0.04,
    p_bh=0.03,
    cliffs_delta=-0.33334,
    cliffs_delta_low=-0.8,
    cliffs_delta_high=0.4,
    rank_biserial=-1.0,
    rank_biserial_low=-1.0,
    rank_biserial_high=-0.004,
    both_pass=NAN,
    a_only=NAN,
    b_only=NAN,
    both_fail=NAN,
    odds_ratio=NAN,
)
TESTS = [
    _TEST,
    replace(
        _TEST,
        protocol="corrected",
        pairing="id",
        n_pairs=2,
        n_dropped=1,
        dropped_ids="v3",
        p_holm=0.0551,
    ),
    replace(
        _TEST,
        metric="feet",
        mean_a=5.0,
        mean_b=5.0,
        p=NAN,
        p_holm=NAN,
        p_bh=NAN,
        cliffs_delta=-1e-17,
        cliffs_delta_low=NAN,
        cliffs_delta_high=NAN,
        rank_biserial=NAN,
        rank_biserial_low=NAN,
        rank_biserial_high=NAN,
    ),
    replace(
        _TEST,
        metric="feet",
        protocol="corrected",
        pairing="id",
        mean_a=5.0,
        mean_b=5.0,
        p=NAN,
        p_holm=NAN,
        p_bh=NAN,
        cliffs_delta=0.0,
        rank_biserial=NAN,
        rank_biserial_low=NAN,
        rank_biserial_high=NAN,
    ),
    replace(
        _TEST,
        comparison="passes",
        block="verse-1b",
        metric="pass@1",
        test="mcnemar",
        pairing="id",
        mean_a=1 / 3,
        mean_b=2 / 3,
        p=1.0,
        p_holm=1.0,
        p_bh=1.0,
        family="passes",
        cliffs_delta=NAN,
        cliffs_delta_low=NAN,
        cliffs_delta_high=NAN,
        rank_biserial=NAN,
        rank_biserial_low=NAN,
        rank_biserial_high=NAN,
        both_pass=1.0,
        a_only=0.0,
        b_only=1.0,
        both_fail=1.0,
        odds_ratio=1 / 3,
    ),
]
TESTS.append(replace(TESTS[-1], protocol="corrected"))
MEANS = [
    Mean(RUNS["st"], "writing-verse", "pass@1", 3, 1 / 3, 0.0, 0.75),
    Mean(RUNS["mt"], "writing-verse", "pass@1", 3, 2 / 3, 0.25, 1.0),
    Mean(RUNS["st"], "writing-verse", "rhyme", 3, 0.25, 0.0, 0.5),
    Mean(RUNS["mt"], "writing-verse", "rhyme", 3, 0.5, 0.25, 0.75),
]


def _cell(
    source: str, line: int, comparison: str, block: str, metric: str, quantity: str, printed: str
) -> PublishedCell:
    adjustment = "bh" if comparison == "passes" else "holm"
    return PublishedCell(
        f"{source}:{line}:{quantity}",
        f"{source}.txt",
        line,
        "CLEAN",
        comparison,
        block,
        metric,
        quantity,
        adjustment,
        printed,
    )


CELLS = [
    _cell("q", 1, "quality", "1b", "rhyme", "p_adjusted", "0.0400"),
    _cell("q", 1, "quality", "1b", "rhyme", "cliffs_delta", "-0.4000"),
    _cell("q", 1, "quality", "1b", "rhyme", "significant", "Yes"),
    _cell("q", 2, "quality", "1b", "feet", "p_adjusted", "NA"),
    _cell("q", 2, "quality", "1b", "feet", "cliffs_delta", "0.0000"),
    _cell("q", 2, "quality", "1b", "feet", "significant", "NA"),
    _cell("p", 1, "passes", "verse-1b", "pass@1", "p", "1.000000"),
    _cell("p", 1, "passes", "verse-1b", "pass@1", "p_adjusted", "1.000000"),
    _cell("p", 1, "passes", "verse-1b", "pass@1", "odds_ratio", "0.3333"),
    _cell("p", 1, "passes", "verse-1b", "pass@1", "a_only", "0"),
    _cell("p", 1, "passes", "verse-1b", "pass@1", "b_only", "1"),
    _cell("p", 2, "passes", "verse-1b", "pass@1", "both_pass", "1"),
    _cell("p", 2, "passes", "verse-1b", "pass@1", "both_fail", "0"),
]


def _verdict(cell: PublishedCell) -> Verdict:
    if cell.quantity == "cliffs_delta" and cell.metric == "rhyme":
        return Verdict(
            cell.id,
            "T1",
            "cell",
            cell.printed,
            "",
            "-0.3333",
            "digits",
            "printed",
            "differs",
            reason="explained by the audit",
            cause="stale",
            corrected="-0.3333",
            command="make verify",
        )
    if cell.quantity == "both_fail":
        return Verdict(
            cell.id,
            "T1",
            "cell",
            cell.printed,
            "",
            "",
            "exact",
            "printed",
            "not reproducible",
            reason="no archived scores of X; 3 checks pass",
        )
    return Verdict(
        cell.id, "T1", "cell", cell.printed, "", cell.printed, "digits", "printed", "exact"
    )


VERDICTS = [
    Verdict(
        "results/archived/toy/scores/meter/writing-verse.csv",
        "T0",
        "file",
        "",
        "ab" * 32,
        "ab" * 32,
        "equal",
        "SHA-256",
        "exact",
    ),
    Verdict(
        "C1",
        "T1",
        "claim",
        "+100.0 %",
        "",
        "+100.00 %",
        "digits",
        "printed",
        "exact",
        corrected="+90 %",
        command="make table-4",
    ),
    *(_verdict(cell) for cell in CELLS),
]
CAUSES = [
    {
        "key": "stale",
        "title": "An earlier input",
        "cells": "1",
        "hypothesis": "the input was older",
        "reproduced": "all",
        "evidence": "digit one | digit two",
        "conclusion_changes": "0",
        "explanation": "The file `q` is older.",
    }
]
FINDINGS = [
    {
        "check": "constant column",
        "severity": "serious",
        "evaluation": "writing-verse",
        "tool": "meter",
        "metric": "feet",
        "run": "",
        "instances": "6",
        "detail": "equal everywhere",
    }
]


def write_study(root: Path, verified: bool = True, audited: bool = True) -> Inputs:
    """Write the study below `root` and return it as the inputs of reporting."""
    for name, text in CATALOG.items():
        path = root / "catalog" / "studies" / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    inputs = Inputs(load([root / "catalog"]), root / "archived", root / "published", root / "out")
    for tool in ("meter", "exec"):
        frames = [
            pd.DataFrame(
                {
                    "run": RUNS[side],
                    "row": [1, 2, 3],
                    "instance_id": ["v1", "v2", "v3"],
                    "status": "ok",
                    **{
                        metric: values[side]
                        for (owner, metric), values in SCORES.items()
                        if owner == tool
                    },
                }
            )
            for side in ("mt", "st")
        ]
        write_scores(inputs.archived / "toy", tool, "writing-verse", pd.concat(frames))
    write_records(inputs.published / "toy" / "statistics.csv", CELLS, PublishedCell)
    write_records(inputs.tests_path, TESTS, Test)
    write_records(inputs.means_path, MEANS, Mean)
    if verified:
        write_records(inputs.verdicts_path, VERDICTS, Verdict)
    if audited:
        for name, rows in (("causes", CAUSES), ("scores", FINDINGS)):
            write_frame(inputs.regenerated / "audit" / f"{name}.csv", pd.DataFrame(rows))
    return inputs
