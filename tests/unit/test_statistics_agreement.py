"""Krippendorff's alpha against the worked examples of Krippendorff (2011), and what has no alpha."""

import csv
import math

import numpy as np
import pytest
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.statistics.agreement import agreements, line
from mtpeft.statistics.r_session import call

# Section D: four observers, twelve units, missing values.
OBSERVERS = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


def write(folder, observers):
    """One CSV for each text, a character a unit; a full stop is a missing score."""
    paths = []
    for number, text in enumerate(observers):
        path = folder / f"judge{number}.csv"
        with path.open("w", newline="") as stream:
            rows = [(f"u{i}", "" if v == "." else v) for i, v in enumerate(text)]
            csv.writer(stream).writerows([("id", "score"), *rows])
        paths.append(str(path))
    return paths


@pytest.mark.parametrize(
    "measure, alpha", [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_of_four_observers_is_that_of_the_paper(tmp_path, measure, alpha):
    (found,) = agreements(write(tmp_path, OBSERVERS), measure=measure)
    assert round(found.alpha, 3) == alpha
    assert (found.judges, found.units, found.n_single, found.values) == (4, 11, 1, 40)
    assert found.low < found.alpha < found.high <= 1


@pytest.mark.parametrize(
    "first, second, alpha",
    [
        ("0100000010", "1110010000", 0.095),  # section A: two observers, two categories
        ("aabbdcccedda", "babbbcccEddd", 0.692),  # section B: five categories
    ],
)
def test_alpha_of_two_observers_is_that_of_the_paper(tmp_path, first, second, alpha):
    letters = {c: str(1 + "abcde".index(c)) for c in "abcde"} | {"E": "5"}
    texts = ["".join(letters.get(c, c) for c in text) for text in (first, second)]
    (found,) = agreements(write(tmp_path, texts), measure="nominal")
    assert round(found.alpha, 3) == alpha


def test_alpha_is_that_of_the_definition_by_pairs():
    generator = np.random.default_rng(2)
    value = generator.integers(1, 6, 60).astype(float)
    unit = np.repeat(np.arange(20), 3)
    values, counts = np.unique(value, return_counts=True)
    middle = dict(zip(values, np.cumsum(counts) - counts / 2, strict=True))
    metrics = {
        "nominal": lambda x, y: float(x != y),
        "ordinal": lambda x, y: (middle[x] - middle[y]) ** 2,
        "interval": lambda x, y: (x - y) ** 2,
    }
    for measure, far in metrics.items():
        observed = sum(
            far(x, y) / 2 for u in range(20) for x in value[unit == u] for y in value[unit == u]
        )
        expected = sum(far(x, y) for x in value for y in value)
        wanted = 1 - (observed / 60) / (expected / (60 * 59))
        found = call("agreement", value, unit, measure=measure, resamples=20, seed=1)
        assert found[0] == pytest.approx(wanted)


def test_the_interval_is_that_of_drawing_units(tmp_path):
    generator = np.random.default_rng(3)
    truth = generator.integers(1, 6, 80)
    value = np.clip(np.stack([truth + generator.integers(-1, 2, 80) for _ in range(3)]), 1, 5)
    unit = np.tile(np.arange(80), 3)
    _, low, high, *_ = call(
        "agreement", value.ravel(), unit, measure="interval", resamples=4000, seed=1
    )
    drawn = []
    for _ in range(1500):
        chosen = value[:, generator.integers(0, 80, 80)]
        within = chosen.var(0, ddof=1).mean()
        drawn.append(1 - within / chosen.var(ddof=1))
    assert [low, high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.1 * (high - low))


def test_values_equal_on_paper_agree():
    value = [0.1 + 0.2, 0.3, 0.5, 0.5, 0.7, 0.7]
    found = call("agreement", value, [1, 1, 2, 2, 3, 3], measure="nominal", resamples=5, seed=1)
    assert found[0] == 1


def test_equal_scores_and_single_scores_have_no_alpha_and_say_why(tmp_path):
    (found,) = agreements(write(tmp_path, ("2222", "2222")))
    assert math.isnan(found.alpha) and "all scores are equal" in found.note
    (found,) = agreements(write(tmp_path, ("12..", "..12")))
    assert math.isnan(found.alpha) and found.note == "no output has two scores"


def test_a_draw_without_alpha_leaves_no_interval_rather_than_being_left_out(tmp_path):
    (found,) = agreements(write(tmp_path, ("1111112", "1111112")))
    assert found.alpha == 1 and math.isnan(found.low) and "too few" in found.note


def test_unknown_words_and_single_judges_are_refused(tmp_path):
    places = write(tmp_path, ("12", "12"))
    with pytest.raises(UnknownName, match="rational"):
        agreements(places, measure="rational")
    with pytest.raises(UnknownName, match="scor"):
        agreements(places, ["scor"])
    with pytest.raises(MtpeftError, match="no metric that two"):
        agreements(places[:1])
    with pytest.raises(MtpeftError, match="level 95"):
        agreements(places, level=95)


def test_outputs_of_several_runs_are_units_of_their_own(tmp_path):
    for judge, scores in (("one", "4253"), ("two", "4353")):
        rows = [f"r{i // 2},{i % 2 + 1},p{i % 2},ok,{v}" for i, v in enumerate(scores)]
        (tmp_path / f"{judge}.csv").write_text(
            "\n".join(["run,row,instance_id,status,coherence", *rows]) + "\n"
        )
    (found,) = agreements([str(tmp_path / "one.csv"), str(tmp_path / "two.csv")])
    assert (found.units, found.values) == (4, 8)


def test_the_command_prints_and_writes_alpha(mtpeft, tmp_path):
    done = mtpeft("compare", "agreement", *write(tmp_path, OBSERVERS), "--name", "judges")
    assert done.returncode == 0, done.stderr
    assert "score: alpha 0.815 [" in done.stdout
    assert "4 judges, 11 outputs, 40 scores; 1 with one score left out" in done.stdout
    assert (tmp_path / "out" / "compare" / "judges" / "agreement.csv").is_file()


def test_the_line_says_what_is_missing(tmp_path):
    (found,) = agreements(write(tmp_path, ("2222", "2222")))
    assert line(found, 0.95).startswith("score: alpha –, ordinal; 2 judges")
