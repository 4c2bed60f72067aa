"""`mtpeft study new`: a folder that works, to be filled with a study of one's own."""

import re
from pathlib import Path

from mtpeft.catalog import catalog
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
ROWS = 24
"""Instances of the made-up score table."""

FILES = {
    "study.yaml": """\
title: "TITLE OF YOUR STUDY"
authors: [FIRST AUTHOR, SECOND AUTHOR]
# arXiv identifier and licence, where there are any.
arxiv: ""
licence: ""
about: >-
  One or two sentences. The scores below scores/ are made up; the report says what they are once you replace them.
questions:
  - {id: RQ1, title: "Is the second run better than the first?"}
""",
    "tasks/NAME.yaml": """\
id: NAME
title: Your task
abbreviation: YT
# How an example becomes a prompt, and an output an answer; needed for training and inference alone.
module: mtpeft.tasks.generation
# code, text, label or ranking: which tools can read an answer.
output: code
evaluations:
  - {id: NAME-test, title: "Your test set", language: python, instances: INSTANCES}
""",
    "tools/NAME.yaml": """\
id: NAME-tool
title: Your metric
version: "1"
# The module with a scorer; empty: the values come from scores/NAME-tool/NAME-test.csv.
module: ""
reads: [code]
metrics:
  - {id: NAME-quality, title: Quality, better: higher, printed: [Quality], column: "", low: 0, high: 1, percent: true}
""",
    "runs/runs.yaml": """\
# One item for each value of the matrix: NAME/first, NAME/second.
- matrix: {run: [{name: first, method: qlora}, {name: second, method: fft}]}
  id: "NAME/{run.name}"
  backbone: qwen2.5-coder-0.5b
  method: "{run.method}"
  regime: st
  tasks: [NAME]
""",
    "comparisons/quality.yaml": """\
id: NAME-quality
question: RQ1
title: "Quality: first against second"
test: wilcoxon
task: NAME-test
pairing: id
family: comparison
adjustment: holm
side_a: first
side_b: second
blocks:
  - {id: all, a: NAME/first, b: NAME/second}
metrics: [NAME-quality]
# Archived outputs that print the result, as {file, variant, adjustment}; none here.
outputs: []
""",
    "claims/claims.yaml": """\
- id: NAME-C1
  text: "The second run is better than the first by PERCENT %."
  source: your paper
  kind: relative_change
  table: table-NAME
  options:
    comparison: NAME-quality
    block: all
    metric: NAME-quality
    percent: "PERCENT"
""",
    "tables/tables.yaml": """\
- id: table-NAME
  number: "1"
  title: "Quality of the first and the second run"
  kind: comparison
  comparisons: [NAME-quality]
""",
    "README.md": """\
# NAME

A study for mtpeft. Everything in this folder belongs to it; what it says is checked by

    mtpeft study check FOLDER

What to change, in this order: `study.yaml`; the task and its evaluation set; the tool and its metrics; the runs; the scores
(`scores/TOOL/EVALUATION.csv`: run, row, instance_id, status, one column a metric; `status` is `ok` where every field has a
value); the comparison; the claims, each with the number that your paper prints; the tables.

Then, from the scores to the report:

    export MTPEFT_CATALOG=FOLDER
    mtpeft archive check
    mtpeft verify statistics
    mtpeft verify audit
    mtpeft verify
    mtpeft report tables table-NAME --show
    mtpeft report
""",
}


def new_study(name: str, parent: Path) -> Path:
    """Write a study that works: two runs, a score table, a comparison, a claim, a table.

    Args:
        name: Of the study and its folder: lower-case letters, digits and single hyphens.
        parent: The folder that it is made in.

    Returns:
        The folder.

    Raises:
        MtpeftError: For a name that cannot be one or is taken, a folder that is there.
    """
    if not _NAME.fullmatch(name):
        raise MtpeftError(
            f"{name!r} cannot be the name of a study",
            "lower-case letters, digits and single hyphens, a letter first",
            "mtpeft study new my-study",
        )
    if name in catalog().studies:
        raise MtpeftError(f"a study {name} is there", "another name", "mtpeft list studies")
    folder = parent / name
    if folder.exists():
        raise MtpeftError(f"{folder} is there", "a folder that is not", "another name, or --dir")
    scores, percent = _scores(name)
    for path, text in FILES.items():
        filled = text.replace("INSTANCES", str(ROWS)).replace("PERCENT", percent)
        filled = filled.replace("NAME", name).replace("FOLDER", str(folder))
        write_atomic(folder / path.replace("NAME", name), filled)
    write_atomic(folder / "scores" / f"{name}-tool" / f"{name}-test.csv", scores)
    return folder


def _scores(name: str) -> tuple[str, str]:
    """A made-up score table of both runs, and by how much the second is better, in percent."""
    values = {
        "first": [(7 * i % 23) / 40 for i in range(ROWS)],
        "second": [(7 * i % 23) / 40 + (5 * i % 7 - 1) / 40 for i in range(ROWS)],
    }
    lines = [f"run,row,instance_id,status,{name}-quality"]
    for run, row in values.items():
        lines += [f"{name}/{run},{i},{name}-{i:02},ok,{v:.4f}" for i, v in enumerate(row, start=1)]
    first, second = (sum(round(v, 4) for v in row) for row in values.values())
    return "\n".join(lines) + "\n", f"{(second - first) / first * 100:.1f}"
