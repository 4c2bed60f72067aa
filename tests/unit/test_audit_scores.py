"""The audit of scores: what should make a reader suspicious is planted, and found; clean scores
give no finding.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mtpeft.audit.scores import SEVERITIES, audit_scores
from mtpeft.catalog import Catalog, Evaluation, Metric, Task, Tool
from mtpeft.core.records import ScoreSet

N = 200
RUNS = ("r1", "r2", "r3")
KNOWN = Catalog(
    tasks={"t": Task("t", "T", "T", "none", "code", [Evaluation("t-x", "X", "java", N)])},
    tools={
        "counter": Tool(
            "counter",
            "C",
            "1",
            "none",
            ["code", "text"],
            [
                Metric("lines", "L", "lower", [], "l", low=0),
                Metric("depth", "D", "lower", [], "d", low=0),
            ],
            unparseable_when={"lines": 0, "depth": 0},
        ),
        "texter": Tool(
            "texter",
            "T",
            "1",
            "none",
            ["code", "text"],
            [Metric("overlap", "O", "higher", [], "o", low=0, high=1)],
        ),
        "judge": Tool(
            "judge",
            "J",
            "1",
            "none",
            ["code", "text"],
            [Metric("marks", "M", "higher", [], "m", low=1, high=5, grid=0.2)],
        ),
    },
)


@pytest.fixture
def tables():
    """Clean scores of three tools and three runs."""
    generator = np.random.default_rng(3)
    result = {}
    for tool, columns in {
        "counter": ("lines", "depth"),
        "texter": ("overlap",),
        "judge": ("marks",),
    }.items():
        parts = []
        for run in RUNS:
            values = {
                "lines": generator.poisson(12, N) + 1.0,
                "depth": generator.poisson(2, N) * 1.0,
                "overlap": generator.beta(2, 2, N),
                "marks": np.round(generator.integers(5, 26, N) * 0.2, 1),
            }
            parts.append(
                pd.DataFrame(
                    {
                        "run": run,
                        "row": range(1, N + 1),
                        "instance_id": [f"i{k:03d}" for k in range(N)],
                        "status": "ok",
                        **{c: values[c] for c in columns},
                    }
                )
            )
        result[tool, "t-x"] = pd.concat(parts, ignore_index=True)
    return result


def findings(tables):
    return audit_scores(ScoreSet(Path("."), tables), KNOWN)


def only(tables, check):
    found = findings(tables)
    assert {f.check for f in found} == {check}, found
    return found


def of(tables, tool, run):
    frame = tables[tool, "t-x"]
    return frame, frame["run"] == run


def test_clean_scores_give_no_finding(tables):
    assert findings(tables) == []


def test_missing_ids_are_named_with_their_run(tables):
    for tool in ("counter", "texter", "judge"):
        frame, mine = of(tables, tool, "r2")
        tables[tool, "t-x"] = frame[
            ~(mine & frame["instance_id"].isin(["i198", "i199"]))
        ].reset_index(drop=True)
    found = only(tables, "instances missing")
    assert {(f.run, f.instances, f.detail) for f in found} == {("r2", 2, "i198 i199")}
    assert len(found) == 3


def test_a_row_missing_in_the_middle_puts_the_rest_out_of_step(tables):
    frame, mine = of(tables, "texter", "r2")
    tables["texter", "t-x"] = frame[~(mine & (frame["instance_id"] == "i010"))].reset_index(
        drop=True
    )
    found = {f.check: f for f in findings(tables)}
    assert set(found) == {"instances missing", "misaligned rows"}
    assert found["misaligned rows"].instances == N - 1 - 10
    assert found["misaligned rows"].run == "r2"


def test_rows_in_another_order_are_out_of_step(tables):
    frame, mine = of(tables, "texter", "r3")
    ids = frame.loc[mine, "instance_id"].to_numpy().copy()
    ids[[4, 9]] = ids[[9, 4]]
    frame.loc[mine, "instance_id"] = ids
    (found,) = only(tables, "misaligned rows")
    assert (found.run, found.instances) == ("r3", 2)


def test_an_instance_that_one_tool_lacks_is_named(tables):
    frame = tables["judge", "t-x"]
    tables["judge", "t-x"] = frame[frame["instance_id"] != "i199"].reset_index(drop=True)
    (found,) = only(tables, "instances missing in a tool")
    assert (found.tool, found.detail) == ("judge", "i199")


def test_a_stretch_of_rows_that_stands_twice_is_found(tables):
    frame, mine = of(tables, "counter", "r2")
    at = frame.index[mine]
    frame.loc[at[20:30], ["lines", "depth"]] = frame.loc[at[5:15], ["lines", "depth"]].to_numpy()
    (finding,) = only(tables, "rows repeated")
    assert (finding.run, finding.instances) == ("r2", 10)
    assert finding.detail.startswith("rows 21 to 30 hold the values of rows 6 to 15")


def test_a_column_that_never_varies_is_found(tables):
    frame, _ = of(tables, "texter", "r1")
    frame["overlap"] = 0.5
    found = findings(tables)
    constant = [f for f in found if f.check == "constant column"]
    assert [(f.severity, f.run, f.instances) for f in constant] == [("serious", "", 3 * N)]


def test_a_run_that_never_varies_is_a_note(tables):
    frame, mine = of(tables, "counter", "r1")
    frame.loc[mine, "depth"] = 3.0
    (found,) = only(tables, "constant column")
    assert (found.severity, found.run, found.metric) == ("note", "r1", "depth")


@pytest.mark.parametrize(
    "tool, metric, value",
    [
        ("texter", "overlap", 1.01),
        ("texter", "overlap", -0.1),
        ("counter", "lines", -1),
        ("judge", "marks", 5.2),
        ("judge", "marks", 0.8),
    ],
)
def test_a_value_out_of_range_is_an_error(tables, tool, metric, value):
    tables[tool, "t-x"].loc[5, metric] = value
    (found,) = only(tables, "value out of range")
    assert (found.severity, found.metric, found.instances) == ("error", metric, 1)
    assert "r1 i005" in found.detail


def test_the_top_of_the_range_may_be_missed_by_rounding(tables):
    tables["texter", "t-x"].loc[5, "overlap"] = 1.0000000000000004
    assert findings(tables) == []


def test_a_value_off_its_grid_is_an_error(tables):
    tables["judge", "t-x"].loc[5, "marks"] = 3.3
    (found,) = only(tables, "value off its grid")
    assert found.severity == "error"
    assert "steps of 0.2" in found.detail


@pytest.mark.parametrize("lost, severity", [(4, "note"), (40, "serious")])
def test_unparseable_outputs_that_score_as_clean_are_counted(tables, lost, severity):
    frame, mine = of(tables, "counter", "r2")
    frame.loc[frame.index[mine][:lost], ["lines", "depth"]] = 0.0
    (found,) = only(tables, "unparseable output scored as if clean")
    assert (found.run, found.instances, found.severity) == ("r2", lost, severity)


def test_zeros_that_are_readable_are_not_unparseable(tables):
    frame, mine = of(tables, "counter", "r2")
    frame.loc[frame.index[mine][:40], "depth"] = 0.0
    assert findings(tables) == []


@pytest.mark.parametrize("count, severity", [(8, "note"), (60, "serious")])
def test_a_spike_at_one_exact_value_is_found(tables, count, severity):
    frame, mine = of(tables, "texter", "r3")
    frame.loc[frame.index[mine][:count], "overlap"] = 0.842490718
    (found,) = only(tables, "spike at one exact value")
    assert (found.run, found.instances, found.severity) == ("r3", count, severity)
    assert "0.842490718" in found.detail


def test_a_grid_of_marks_is_no_spike(tables):
    frame, mine = of(tables, "judge", "r3")
    frame.loc[frame.index[mine][:60], "marks"] = 4.0
    assert findings(tables) == []


def test_a_copied_column_is_found(tables):
    frame, mine = of(tables, "texter", "r3")
    frame.loc[mine, "overlap"] = frame.loc[frame["run"] == "r1", "overlap"].to_numpy()
    (found,) = only(tables, "same column in two runs")
    assert found.run == "r1" and "r3" in found.detail


def test_coarse_columns_may_coincide(tables):
    frame, mine = of(tables, "counter", "r3")
    frame["depth"] = np.tile(np.arange(N) % 3, 3).astype(float)
    assert findings(tables) == []


def test_findings_are_sorted_by_severity(tables):
    frame, mine = of(tables, "texter", "r3")
    frame.loc[frame.index[mine][:8], "overlap"] = 0.842490718
    frame.loc[3, "overlap"] = 2.0
    frame.loc[mine, "instance_id"] = frame.loc[mine, "instance_id"].to_numpy()[::-1]
    severities = [SEVERITIES.index(f.severity) for f in findings(tables)]
    assert severities == sorted(severities) and len(set(severities)) == 3


def test_missing_values_are_not_out_of_range(tables):
    tables["texter", "t-x"].loc[5, "overlap"] = float("nan")
    tables["judge", "t-x"].loc[5, "marks"] = float("nan")
    assert findings(tables) == []
