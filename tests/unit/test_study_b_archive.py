"""Study B's figures: what the importer refuses, what it writes, and that generations stay apart."""

import csv
import gzip
import io
import json
import math
from pathlib import Path

import pytest
from mtpeft.archive.study_b.importer import _RUN_COLUMNS, import_study_b
from mtpeft.core.errors import BadInput
from mtpeft.core.paths import PUBLISHED
from mtpeft.statistics.published import (
    METRIC,
    TASKS,
    Published,
    always_positive_f1,
    macro_f1_of_constant,
    rule_of,
    standard_error,
    table_against_logs,
    trivial_baselines,
)

COLUMNS = [
    *_RUN_COLUMNS,
    "task",
    "split",
    "selection",
    "metric",
    "value",
    "epoch_or_step",
    "log_start",
]
LOG = dict(
    study="MTL-gen2 (2026 revision code)",
    source_log="logs/one.log",
    setting="multi",
    backbone="UniXcoder-base",
    peft="lora",
    loss_weighting="normalized(norm_v2)",
    sampler="temperature T=0.30 (1 task/step)",
    tasks_in_run="vulnerability+clone+search+flakiness",
    epochs_run="5",
    batch_size="32",
    trainable_params="7",
    total_params="70",
    trainable_params_source="log",
    wall_time_s="3.5",
    peak_memory_gb="1",
    hub_client="",
    status="complete",
    task="clone",
    split="test",
    selection="best_valid_combined",
    metric="f1",
    value="0.91",
    epoch_or_step="4",
    log_start="",
)
# The weights of facts.toml belong to five logs, which therefore must be among the figures.
PAIRS = [
    {
        **LOG,
        "study": "MTL-gen1 (2025 paper-era code)",
        "setting": "pair",
        "source_log": f"old_logs/logs_unixcoder/{name}.log",
    }
    for name in (
        "MTL_vul_codesearch_adapter",
        "MTL_vul_codesearch_lora",
        "clone_and_codeSearch_lora",
        "vul_flaky_full",
        "vul_flaky_serialAdapter",
    )
]


def _import(
    folder: Path, rows: list[dict[str, str]], tables: dict[str, object] | None = None
) -> Path:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows([*rows, *PAIRS])
    figures, printed = folder / "figures.csv.gz", folder / "tables.json"
    figures.write_bytes(gzip.compress(buffer.getvalue().encode()))
    printed.write_text(json.dumps({"paper": {}, "paperpair": {}, "revt": {}, **(tables or {})}))
    import_study_b(figures, printed, folder / "published")
    return folder / "published" / "multitask-peft"


def test_import_writes_the_same_bytes_twice_and_checksums_them(tmp_path: Path) -> None:
    first = {p.name: p.read_bytes() for p in _import(tmp_path, [LOG]).iterdir()}
    second = {p.name: p.read_bytes() for p in _import(tmp_path, [LOG]).iterdir()}
    assert first == second
    sums = (tmp_path / "published" / "SHA256SUMS").read_text()
    assert all(f"multitask-peft/{name}" in sums for name in first)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"backbone": "UniXcoder-bass"}, "unknown backbone"),
        ({"peft": "magic"}, "unknown method"),
        ({"value": "much"}, "could not convert"),
        ({"study": "MTL-gen3"}, "unknown study"),
        ({"selection": "luck"}, "unknown selection"),
    ],
)
def test_unknown_words_are_refused_with_file_and_line(
    tmp_path: Path, change: dict[str, str], found: str
) -> None:
    with pytest.raises(BadInput, match=found) as caught:
        _import(tmp_path, [LOG, {**LOG, "source_log": "logs/two.log", **change}])
    assert caught.value.line == 3
    assert not (tmp_path / "published").exists(), "half an import was written"


def test_a_number_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="occur twice"):
        _import(tmp_path, [LOG, LOG])


def test_a_log_described_in_two_ways_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="two ways"):
        _import(tmp_path, [LOG, {**LOG, "task": "search", "metric": "mrr", "batch_size": "16"}])


def test_typed_tables_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    typed = {
        **LOG,
        "study": "Paper table (Plots.ipynb, 2025-09)",
        "source_log": "Plots.ipynb cell 4",
        "peft": "full",
        "selection": "reported",
        "status": "reported figure, no log",
    }
    rows = [
        {**typed, "task": task, "metric": metric, "value": "0.5"}
        for task, metric in (
            ("clone", "f1"),
            ("vulnerability", "acc"),
            ("flakiness", "f1"),
            ("search", "mrr"),
        )
    ]
    row = [100.0, 50.0, 50.0, 50.0, 50.0]
    _import(tmp_path, rows, {"paper": {"MFT|UniXcoder-base|full": row}})
    with pytest.raises(BadInput, match="code-search"):
        _import(tmp_path, rows, {"paper": {"MFT|UniXcoder-base|full": [*row[:4], 49.0]}})


def test_a_log_filed_under_the_wrong_method_counts_as_what_its_parameters_say() -> None:
    run = Published().runs["G1/old_logs/logs_codet5p/flakiness_detection_adapterParallel.log"]
    assert run.method == "lora" and "parallel_adapter" in run.variant


def test_no_figure_of_one_generation_is_read_in_the_other() -> None:
    data = Published()
    assert data.score("G1", "multi", "unixcoder-base", "fft", "clone-detection") == pytest.approx(
        93.70
    )
    assert data.score("G2", "multi", "unixcoder-base", "fft", "clone-detection") == pytest.approx(
        90.73
    )
    assert math.isnan(data.score("G1", "multi", "modernbert-base", "fft", "clone-detection"))
    assert math.isnan(data.score("G2", "single", "unixcoder-base", "fft", "clone-detection"))
    assert all(
        data.runs[f.run].generation == f.generation and f.run.startswith(f.generation)
        for f in data.figures
    )


def test_other_loss_weightings_do_not_replace_the_generations_own() -> None:
    data = Published()
    runs = data.find_runs("G2", "multi", "unixcoder-base", "serial_adapter", "log")
    assert {r.weighting for r in runs} >= {"normalized", "uncertainty", "famo"}
    normal = next(r for r in runs if r.weighting == "normalized")
    assert data.score(
        "G2", "multi", "unixcoder-base", "serial_adapter", "code-search"
    ) == data.value(normal, "code-search", rule_of("G2").selection)


def test_single_task_rows_copied_into_the_revisions_table_keep_their_generation() -> None:
    rows = {
        (c.backbone, c.method): c.generation
        for c in Published().printed
        if (c.table, c.setting) == ("revision", "single") and c.column == "vulnerability-detection"
    }
    assert rows["unixcoder-base", "fft"] == "G1" and rows["modernbert-base", "fft"] == "G2"


def test_the_revisions_table_is_compared_with_its_logs_row_by_row() -> None:
    assert table_against_logs(Published()) == (18, 23)


def test_trivial_baselines_follow_from_the_split_sizes() -> None:
    data = Published()
    assert trivial_baselines(data, "vulnerability-detection") == pytest.approx(
        {"always yes": 45.937, "always no": 54.063, "majority": 54.063}, abs=1e-3
    )
    assert trivial_baselines(data, "flaky-detection")["always yes"] == pytest.approx(
        7.163, abs=1e-3
    )
    n = data.sets["code-search", "test"].examples
    assert trivial_baselines(data, "code-search")["random ranking"] == pytest.approx(
        100 * sum(1 / k for k in range(1, n + 1)) / n
    )


def test_constant_predictions_score_what_counting_says() -> None:
    positives, negatives = 30, 70
    f1 = 2 * positives / (2 * positives + negatives)
    assert always_positive_f1(0.3) == pytest.approx(100 * f1)
    assert macro_f1_of_constant(0.3) == pytest.approx(100 * f1 / 2)


def test_sampling_errors_match_a_simulation() -> None:
    import numpy as np

    data, rng = Published(), np.random.default_rng(0)
    positives = 162
    hit = rng.binomial(positives, 0.69, 20_000)
    false = rng.poisson(positives * 0.31, 20_000)
    f1 = 200 * hit / (positives + hit + false)
    assert standard_error(data, "flaky-detection", 69.0) == pytest.approx(f1.std(), rel=0.03)
    assert standard_error(data, "vulnerability-detection", 60.0) == pytest.approx(
        rng.binomial(2732, 0.6, 20_000).std() / 27.32, rel=0.03
    )


def test_every_task_has_a_metric_and_a_test_set() -> None:
    data = Published()
    assert all((task, "test") in data.sets and task in METRIC for task in TASKS)
    assert data.folder == PUBLISHED / "multitask-peft"
