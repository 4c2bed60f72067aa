"""Golden values: what the study printed for RQ1 and RQ2 comes out of the archived scores, digit for
digit.

C# → Java translation is left out: there the study read other files (the audit explains which).
"""

import pandas as pd
import pytest
from mtpeft.core.errors import MtpeftError
from mtpeft.core.records import ScoreSet, write_scores
from mtpeft.statistics.compare import run_all, run_comparison
from mtpeft.statistics.means import drawn_means
from mtpeft.statistics.printed import same, style_of, value_for

LEFT_OUT = ("rq1-translation-cs-java", "rq2-translation-cs-java")
COMPARISONS = [
    f"rq{q}-{name}"
    for q in (1, 2)
    for name in (
        "generation-java",
        "generation-python",
        "pass1",
        "summarization-java",
        "summarization-python",
        "summarization-java-judge",
        "summarization-python-judge",
        "translation-java-cs",
    )
]


def test_only_the_explained_comparisons_are_left_out(known):
    asked = {
        c.id for c in known.of("comparisons", "multitask-qlora") if c.question in ("RQ1", "RQ2")
    }
    assert set(COMPARISONS) | set(LEFT_OUT) == asked


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_printed_value_comes_out_again(archived, known, published, name):
    tests = {
        (t.block, t.metric): t
        for t in run_comparison(archived, known.comparisons[name], known, "as-published")
    }
    cells = [c for c in published if c.comparison == name and c.metric]
    assert len(cells) >= 60
    wrong = [
        f"{c.source}:{c.line} {c.quantity}: printed {c.printed}, recomputed {value}"
        for c in cells
        if not same(value := value_for(c, tests[c.block, c.metric]), c.printed, style_of(c))
    ]
    assert not wrong


@pytest.mark.parametrize(
    "name, block, counts, p, odds",
    [
        ("rq1-pass1", "java-1.5b", (25, 22, 10, 127), 0.051830, 2.1429),
        ("rq2-pass1", "python-3b", (32, 8, 1, 148), 0.045500, 5.6667),
    ],
)
def test_counts_of_passes_by_hand(archived, known, name, block, counts, p, odds):
    test = next(
        t
        for t in run_comparison(archived, known.comparisons[name], known, "as-published")
        if t.block == block
    )
    assert (test.both_pass, test.a_only, test.b_only, test.both_fail) == counts
    assert test.p == pytest.approx(p, abs=5e-7)
    assert test.odds_ratio == pytest.approx(odds, abs=5e-5)


def test_pairing_by_position_and_by_id_give_different_pass_counts(archived, known):
    comparison = known.comparisons["rq2-pass1"]
    both = [
        next(
            t
            for t in run_comparison(archived, comparison, known, protocol)
            if t.block == "python-0.5b"
        )
        for protocol in ("as-published", "corrected")
    ]
    assert [(t.both_pass, t.a_only, t.b_only, t.both_fail) for t in both] == [
        (5, 25, 23, 135),
        (22, 8, 6, 152),
    ]
    assert both[1].dropped_ids.split() == [
        "62b45e2eb89c9fd354170232"
    ]  # the other lost row is lost on both sides


# ---------------------------------------------------------------- what a record says


@pytest.fixture(scope="module")
def both_protocols(archived, known):
    names = ["rq1-generation-python", "rq3-generation-python"]
    tests = run_all(archived, [known.comparisons[name] for name in names], known)
    assert list(dict.fromkeys(t.comparison for t in tests)) == names
    return tests


def test_both_protocols_are_computed_for_every_place(both_protocols):
    places = [(t.comparison, t.block, t.metric) for t in both_protocols]
    assert len(places) == 2 * len(set(places))


def test_only_the_corrected_protocol_carries_the_paired_effect(both_protocols):
    with_effect = {t.protocol for t in both_protocols if t.rank_biserial == t.rank_biserial}
    assert with_effect == {"corrected"}


def test_the_corrected_protocol_names_what_it_drops(both_protocols):
    for test in both_protocols:
        assert test.n_dropped == len(test.dropped_ids.split())
        if test.protocol == "corrected" and test.n_a:
            assert test.n_pairs + test.n_dropped >= max(test.n_a, test.n_b)
    assert any(t.n_dropped for t in both_protocols if t.metric == "pylint_warning")


def test_absent_scores_are_a_note_and_never_a_number(both_protocols):
    absent = [t for t in both_protocols if t.note.startswith("no archived scores of")]
    assert absent
    for test in absent:
        assert (
            test.n_pairs == 0
            and test.p != test.p
            and test.p_holm != test.p_holm
            and test.cliffs_delta != test.cliffs_delta
        )


def test_a_family_that_lacks_a_member_is_not_adjusted(both_protocols):
    half = [t for t in both_protocols if t.note.startswith("family incomplete")]
    assert half
    assert all(t.p_holm != t.p_holm and t.m == 0 for t in half)
    assert any(t.p == t.p for t in half)


def test_m_counts_the_defined_p_values_of_the_family(both_protocols):
    families = {}
    for test in both_protocols:
        if not test.note:
            families.setdefault((test.protocol, test.family), []).append(test)
    assert families
    for members in families.values():
        assert {t.m for t in members} == {sum(t.p == t.p for t in members)}


def test_pass_rates_that_are_no_outcomes_are_refused_with_their_values(tmp_path, known):
    comparison = next(c for c in known.comparisons.values() if c.test == "mcnemar")
    block, (metric,) = comparison.blocks[0], comparison.metrics
    task = block.task or comparison.task
    frame = pd.DataFrame(
        [
            [run, k + 1, f"i{k}", "ok", value]
            for run in (block.a, block.b)
            for k, value in enumerate((1, 0.5, 0))
        ],
        columns=["run", "row", "instance_id", "status", metric],
    )
    write_scores(tmp_path, known.metrics()[metric][0].id, task, frame)
    with pytest.raises(MtpeftError, match="meets 0.5"):
        run_comparison(ScoreSet.load(tmp_path), comparison, known, "corrected")


def test_means_stand_on_the_side_of_their_run(archived, known):
    """A change of the mean is read from side A to side B: exchanged means turn every claim."""
    comparison = known.comparisons["rq1-generation-java"]
    for test in run_comparison(archived, comparison, known, "as-published"):
        a, b = (archived.column(r, test.task, test.metric).value for r in (test.run_a, test.run_b))
        assert len(a) == len(b) == test.n_pairs
        assert (test.mean_a, test.mean_b) == (pytest.approx(a.mean()), pytest.approx(b.mean()))
    assert any(
        t.mean_a != t.mean_b for t in run_comparison(archived, comparison, known, "corrected")
    )


def test_the_odds_ratio_has_the_interval_of_its_own_side(tmp_path, known):
    """A alone passes once, B alone four times: Clopper and Pearson's interval of 1 in 5 is (0.00505,
    0.71642), as odds (0.00508, 2.52632).
    """
    comparison = next(c for c in known.comparisons.values() if c.test == "mcnemar")
    block, (metric,) = comparison.blocks[0], comparison.metrics
    task = block.task or comparison.task
    passes = {block.a: [1, 0, 0, 0, 0, 1], block.b: [0, 1, 1, 1, 1, 1]}
    frame = pd.DataFrame(
        [
            [run, k + 1, f"i{k}", "ok", value]
            for run, values in passes.items()
            for k, value in enumerate(values)
        ],
        columns=["run", "row", "instance_id", "status", metric],
    )
    write_scores(tmp_path, known.metrics()[metric][0].id, task, frame)
    (test, *_) = run_comparison(ScoreSet.load(tmp_path), comparison, known, "corrected")
    assert (test.a_only, test.b_only, test.odds_ratio) == (1, 4, pytest.approx(1.5 / 4.5))
    assert (test.odds_ratio_low, test.odds_ratio_high) == pytest.approx(
        (0.00508, 2.52632), abs=1e-4
    )


def test_every_mean_that_a_figure_draws_is_that_of_the_scores(archived, known):
    means = {(m.run, m.task, m.metric): m for m in drawn_means(archived, known)}
    values = archived.column(
        "qwen2.5-coder-3b/mt-fft", "translation-cs-java", "codebleu_0.7.0"
    ).value
    mean = means["qwen2.5-coder-3b/mt-fft", "translation-cs-java", "codebleu_0.7.0"]
    half = 1.96 * values.std(ddof=1) / len(values) ** 0.5
    assert (mean.n, mean.mean) == (1000, pytest.approx(values.mean()))
    assert (mean.low, mean.high) == pytest.approx(
        (mean.mean - half, mean.mean + half), abs=half / 5
    )
