"""Contrasts of published figures: the right figure of several, and what chance makes of it."""

import math
from pathlib import Path

import numpy as np
import pytest
from mtpeft.catalog import catalog
from mtpeft.core.figures import Contrast
from mtpeft.core.records import read_records, write_records
from mtpeft.statistics.contrasts import Contrasts, of_figures
from mtpeft.statistics.figures import FigureSet
from mtpeft.statistics.r_session import call
from mtpeft.verification.claims.editions import upper_tail
from scipy import stats

STUDY = catalog().studies["multitask-peft"]
FIRST, SECOND = STUDY.editions[:2]


@pytest.fixture(scope="module")
def data() -> FigureSet:
    return FigureSet.of(STUDY)


@pytest.fixture(scope="module")
def found(data: FigureSet) -> Contrasts:
    return Contrasts(of_figures(data), STUDY.id)


def test_no_figure_of_one_edition_is_read_in_the_other(data: FigureSet) -> None:
    cell = ("unixcoder-base", "fft", "clone-detection")
    assert data.score(FIRST, "multi", *cell) == pytest.approx(93.70)
    assert data.score(SECOND, "multi", *cell) == pytest.approx(90.73)
    assert math.isnan(data.score(FIRST, "multi", "modernbert-base", *cell[1:]))
    assert math.isnan(data.score(SECOND, "single", *cell))
    assert all(
        data.runs[f.run].generation == f.generation and f.run.startswith(f.generation)
        for f in data.figures
    )


def test_an_edition_that_does_not_say_how_its_figures_are_chosen_is_not_read(
    data: FigureSet, found: Contrasts
) -> None:
    assert [e.id for e in data.editions] == ["G1", "G2"]
    assert {c.edition for c in found.records} == {"", "G1", "G2"}


def test_other_loss_weightings_do_not_replace_the_editions_own(data: FigureSet) -> None:
    runs = data.find_runs("G2", "multi", "unixcoder-base", "serial_adapter", "log")
    assert {r.weighting for r in runs} >= {"normalized", "uncertainty", "famo"}
    normal = next(r for r in runs if r.weighting == "normalized")
    (value,) = [
        f.value
        for f in data.figures
        if (f.run, f.task, f.split, f.selection, f.metric)
        == (normal.id, "code-search", "test", "best_valid_combined", "mrr")
    ]
    score = data.score(SECOND, "multi", "unixcoder-base", "serial_adapter", "code-search")
    assert score == 100 * value


def test_differences_are_of_the_same_edition_backbone_and_task(found: Contrasts) -> None:
    place = {"backbone": "unixcoder-base", "setting": "multi"}
    for task, mine, full in (("clone-detection", 93.79, 93.70), ("code-search", 33.49, 32.94)):
        c = found.one(
            "G1", "difference", **place, method="serial_adapter", task=task, against="multi fft"
        )
        assert c is not None and c.value == pytest.approx(mine - full)
    mean = found.one(
        "G1", "difference", **place, method="serial_adapter", task="", against="multi fft"
    )
    assert mean is not None
    assert mean.value == pytest.approx(
        (93.79 + 61.35 + 71.90 + 33.49 - 93.70 - 61.35 - 71.20 - 32.94) / 4
    )
    errors = [
        found.one("G1", "score", **place, method=m, task=t).error  # type: ignore[union-attr]
        for m in ("serial_adapter", "fft")
        for t in STUDY.tasks
    ]
    assert mean.error == pytest.approx(math.hypot(*errors) / 4)


def test_the_revisions_table_is_compared_with_its_logs_row_by_row(found: Contrasts) -> None:
    rows = found.find("G2", "typed against logged")
    assert (sum(c.value < 0.005 + 1e-9 for c in rows), len(rows)) == (18, 23)


def test_baselines_follow_from_the_split_sizes(data: FigureSet, found: Contrasts) -> None:
    def of(task: str, metric: str) -> dict[str, float]:
        every = found.find("", "baseline", task=task, metric=metric)
        return {c.method: c.value for c in every}

    assert of("vulnerability-detection", "acc") == pytest.approx(
        {"always yes": 45.937, "always no": 54.063, "majority": 54.063}, abs=1e-3
    )
    assert of("flaky-detection", "f1")["always yes"] == pytest.approx(7.163, abs=1e-3)
    n = data.sets["code-search", "test"].examples
    wanted = 100 * sum(1 / k for k in range(1, n + 1)) / n
    assert of("code-search", "mrr") == pytest.approx({"random ranking": wanted})
    share = data.sets["clone-detection", "test"].positive_share or 0
    positives, negatives = share, 1 - share
    assert of("clone-detection", "macro_f1")["always yes"] == pytest.approx(
        100 * 2 * positives / (2 * positives + negatives) / 2
    )


def test_sampling_errors_match_a_simulation(found: Contrasts) -> None:
    rng = np.random.default_rng(0)
    positives = 162
    hit = rng.binomial(positives, 0.69, 20_000)
    false = rng.poisson(positives * 0.31, 20_000)
    f1 = 200 * hit / (positives + hit + false)
    assert found.value("", "typical error", task="flaky-detection") == pytest.approx(
        f1.std(), rel=0.03
    )
    assert found.value("", "typical error", task="vulnerability-detection") == pytest.approx(
        rng.binomial(2732, 0.61, 20_000).std() / 27.32, rel=0.03
    )


def test_quantiles_and_tails_are_those_of_the_distributions() -> None:
    assert call("range_by_chance", [4.0])[0] == pytest.approx(
        stats.studentized_range.ppf(0.95, 4, 100_000), abs=1e-3
    )
    for hits, total in ((5, 30), (0, 30), (30, 30), (150, 2000), (0, 0)):
        assert upper_tail(hits, total, 0.05) == pytest.approx(
            stats.binom.sf(hits - 1, total, 0.05), rel=1e-9
        )


def test_contrasts_are_read_back_as_they_were_written(found: Contrasts, tmp_path: Path) -> None:
    path = tmp_path / "contrasts.csv"
    write_records(path, found.records, Contrast)
    again = read_records(path, Contrast)
    assert [c.value for c in again] == [c.value for c in found.records]
    assert {c.n for c in again} == {c.n for c in found.records}
    assert not any(math.isnan(c.value) for c in again)


def test_the_saving_of_time_is_against_the_sum_of_single_runs(found: Contrasts) -> None:
    place = {"backbone": "modernbert-base", "method": "lora"}
    shared = found.value("G2", "hours", **place, setting="multi")
    alone = found.value("G2", "hours", **place, setting="single")
    change = found.value("G2", "change of hours", **place, against="single lora")
    assert change == pytest.approx(100 * (shared - alone) / alone)


def test_errors_follow_from_the_size_of_the_test_set(data: FigureSet, found: Contrasts) -> None:
    place = {"backbone": "unixcoder-base", "method": "fft", "setting": "multi"}
    (score,) = found.find("G1", "score", **place, task="vulnerability-detection")
    n = data.sets["vulnerability-detection", "test"].examples
    p = score.value / 100
    assert score.error == pytest.approx(100 * math.sqrt(p * (1 - p) / n))
    (search,) = found.find("G1", "score", **place, task="code-search")
    queries = data.sets["code-search", "test"].examples
    deviation = data.numbers.rank_deviation
    assert search.error == pytest.approx(100 * deviation / math.sqrt(queries))
    (clone,) = found.find("G1", "score", **place, task="clone-detection")
    entry = data.sets["clone-detection", "test"]
    f, positives = (
        clone.value / 100,
        entry.positives or entry.examples * (entry.positive_share or 0),
    )
    variance = f * (1 - f) * (4 - 3 * f + f * f) / (4 * positives)
    assert clone.error == pytest.approx(100 * math.sqrt(variance))


def test_cost_is_what_the_logs_of_the_run_count(data: FigureSet, found: Contrasts) -> None:
    shares = found.find("G2", "share of parameters")
    assert len(shares) == 30
    for c in shares:
        run = data.runs[c.run]
        assert run.trainable_params and run.total_params
        assert c.value == pytest.approx(100 * run.trainable_params / run.total_params)
    for c in found.find("G2", "hours per epoch"):
        run = data.runs[c.run]
        assert run.seconds and run.epochs
        assert c.value == pytest.approx(run.seconds / 3600 / run.epochs)
    typed = found.value(
        "G1", "ratio of parameters", backbone="unixcoder-base", method="serial_adapter"
    )
    assert typed == pytest.approx(4)


def test_groupings_of_a_task_have_a_range_and_what_chance_makes_of_it(
    data: FigureSet, found: Contrasts
) -> None:
    cell = ("unixcoder-base", "serial_adapter", "clone-detection")
    others = [task for task in STUDY.tasks if task != cell[2]]
    values = [data.score(FIRST, "pair", *cell, (cell[2], other)) for other in others]
    values.append(data.score(FIRST, "multi", *cell))
    place = {"backbone": cell[0], "method": cell[1], "task": cell[2]}
    (found_range,) = found.find("G1", "range", **place)
    assert found_range.value == pytest.approx(max(values) - min(values))
    by_chance = found.value("G1", "range by chance", **place)
    assert by_chance == pytest.approx(3.6332 * found_range.error, rel=1e-4)
    one, two = cell[2], others[0]
    changes = [
        data.score(FIRST, "pair", *cell[:2], task, (one, two))
        - data.score(FIRST, "single", *cell[:2], task)
        for task in (one, two)
    ]
    (imbalance,) = found.find(
        "G1", "imbalance", backbone=cell[0], method=cell[1], tasks=f"{one}+{two}"
    )
    assert imbalance.value == pytest.approx(changes[0] - changes[1])


def test_only_comparable_prompted_values_are_held_against_tuned_ones(
    data: FigureSet, found: Contrasts
) -> None:
    reference = data.numbers.prompted_against
    assert reference is not None
    for edition in (FIRST, SECOND):
        for prompted in found.find(edition.id, "prompted"):
            same = {"run": prompted.run, "task": prompted.task, "metric": prompted.metric}
            differences = found.find(edition.id, "difference", **same, split=prompted.split)
            tuned = data.score(
                edition, "multi", reference.backbone, reference.method, prompted.task
            )
            comparable = prompted.rule.endswith(": yes")
            known = comparable and not math.isnan(tuned)
            assert [c.value for c in differences] == (
                [pytest.approx(tuned - prompted.value)] if known else []
            )
            assert math.isnan(prompted.error) == (not comparable)
            sample = "".join(c for c in prompted.split if c.isdigit())
            if comparable and sample and data.metric(prompted.task) == "acc":
                p = prompted.value / 100
                assert prompted.error == pytest.approx(100 * math.sqrt(p * (1 - p) / int(sample)))
