"""The audit's search: a cause planted in a made-up study is found again by what it does to the
printed digits alone.

Each test prints the outputs of a study in which one thing went wrong, and asks the search what it
was. It must account for every cell that changed and for no other; and what nothing explains must be
called unexplained.
"""

from dataclasses import replace

import numpy as np
import pytest
from mtpeft.audit.readings import Bench
from mtpeft.audit.search import Search
from mtpeft.audit.stage import audit, labelled_correction
from mtpeft.catalog import Block
from mtpeft.core.records import ScoreSet
from synthetic_study import COUNTS, TEXTS, Crime, printed, score_set


@pytest.fixture(scope="module")
def honest(study, scores):
    return {
        c.id: {cell.id: cell for cell in printed(c, scores, study)}
        for c in study.comparisons.values()
    }


@pytest.fixture(scope="module")
def bench(study, scores):
    """Readings are computed once for all tests of this module."""
    return Bench(scores, study)


@pytest.fixture
def investigate(study, scores, honest, bench):
    """Print a comparison under a crime (and further edits), search, and check that exactly what
    changed is accounted for.
    """

    def run(crime, name="effects", edits=None, comparison=None, scores=scores, honest=honest):
        comparison = comparison or study.comparisons[name]
        cells = [
            replace(c, printed=(edits or {}).get(c.id, c.printed))
            for c in printed(comparison, scores, study, crime)
        ]
        changed = {c.id for c in cells if c.printed != honest[comparison.id][c.id].printed}
        assert changed, "the crime changes nothing"
        causes = Search(
            comparison, cells, bench if scores is bench.scores else Bench(scores, study)
        ).run()
        owned = [c.id for cause in causes for c in (*cause.blamed, *cause.carried)]
        assert len(owned) == len(set(owned)), "a cell has two causes"
        assert set(owned) == changed
        assert len({cause.key for cause in causes}) == len(causes)
        for cause in causes:
            assert cause.tried > 0
            assert cause.kind == "unexplained" or cause.evidence
        return {cause.kind: cause for cause in causes}, causes

    return run


def only(found, kind):
    kinds, causes = found
    assert list(kinds) == [kind]
    return causes


# ---------------------------------------------------------------- nothing wrong


@pytest.mark.parametrize("name", ["effects", "passes"])
def test_an_honest_study_has_no_cause(study, bench, honest, name):
    assert Search(study.comparisons[name], honest[name].values(), bench).run() == []


def test_cells_without_scores_are_not_blamed(study, scores, honest):
    tables = {key: frame[frame["run"] != "b2/mt-q"] for key, frame in scores.tables.items()}
    bench = Bench(ScoreSet(scores.root, tables), study)
    assert Search(study.comparisons["effects"], honest["effects"].values(), bench).run() == []


# ---------------------------------------------------------------- one cause


def test_scores_of_another_version_of_a_tool_on_one_side(study, scores):
    """Side B was counted by a version that counts some outputs otherwise; the other tools' scores
    are as they should be.
    """
    newer, mixed = {}, dict(scores.tables)
    for (tool, task), frame in scores.tables.items():
        if tool == "counter":
            changed = frame.copy()
            changed.loc[::3, list(COUNTS)] += 2
            newer[tool, task] = changed
            mixed[tool, task] = frame.where(
                ~frame["run"].isin([f"b{size}/mt-q" for size in (1, 2, 3)]), changed
            )
    comparison = study.comparisons["effects"]
    cells = list(printed(comparison, ScoreSet(scores.root, mixed), study))
    versions = {"counter-0.9": score_set(study, seed=5), "counter-2": ScoreSet(scores.root, newer)}
    (cause,) = Search(comparison, cells, Bench(scores, study, versions)).run()
    assert (cause.kind, cause.text) == ("other tool version", "side B scored with Counter 2")
    assert {metric for _, metric in cause.places} == set(COUNTS)
    (without,) = Search(
        comparison, cells, Bench(scores, study, {"counter-0.9": versions["counter-0.9"]})
    ).run()
    assert without.kind == "unexplained"


def test_scores_of_a_block_of_another_comparison(study, scores, honest):
    block = Block("9", "b3/st-q/code", "b1/mt-f")
    elsewhere = replace(study.comparisons["effects"], id="elsewhere", task="code-y", blocks=[block])
    wider = replace(study, comparisons={**study.comparisons, "elsewhere": elsewhere})

    def read(block, metric, meant):
        return (
            replace(meant, a="b3/st-q/code", b="b1/mt-f", task="code-y")
            if metric in COUNTS and block == "2"
            else meant
        )

    cells = list(printed(study.comparisons["effects"], scores, study, Crime(read)))
    (cause,) = Search(study.comparisons["effects"], cells, Bench(scores, wider)).run()
    assert (cause.kind, cause.text) == (
        "other comparison",
        "2/counter: scores of elsewhere (9) were read instead",
    )


def test_an_adjusted_value_is_put_down_to_the_cause_at_its_own_place(study, scores):
    """Two causes in one family: neither may claim the adjusted values of the other's metrics."""

    def read(block, metric, meant):
        return (
            replace(meant, task="code-y")
            if metric in COUNTS
            else replace(meant, a=meant.b, b=meant.a)
        )

    cells = list(printed(study.comparisons["effects"], scores, study, Crime(read)))
    causes = {
        c.kind: c for c in Search(study.comparisons["effects"], cells, Bench(scores, study)).run()
    }
    assert {c.metric for c in causes["other evaluation set"].blamed} == set(COUNTS)
    assert {c.metric for c in causes["sides swapped"].blamed} <= set(TEXTS)


def test_scores_of_another_evaluation_set(investigate):
    def read(block, metric, meant):
        return replace(meant, task="code-y") if metric in COUNTS else meant

    (cause,) = only(investigate(Crime(read)), "other evaluation set")
    assert cause.text == "counter: scores of code-y were read instead"
    assert {metric for _, metric in cause.places} == set(COUNTS)
    assert {c.metric for c in cause.blamed} == set(COUNTS)
    # Their p-values stand in the families of the other metrics.
    assert {c.metric for c in cause.carried} <= set(TEXTS)
    assert {c.quantity for c in cause.carried} <= {"p_adjusted", "significant"}


def test_sides_that_changed_places_in_one_block(investigate):
    def read(block, metric, meant):
        return replace(meant, a=meant.b, b=meant.a) if block == "2" else meant

    (cause,) = only(investigate(Crime(read)), "sides swapped")
    assert {block for block, _ in cause.places} == {"2"}


def test_sides_that_changed_places_everywhere_are_one_cause(investigate):
    (cause,) = only(
        investigate(Crime(lambda block, metric, meant: replace(meant, a=meant.b, b=meant.a))),
        "sides swapped",
    )
    assert len(cause.places) == 15


def test_rows_paired_by_position_where_ids_differ(investigate):
    causes = only(
        investigate(Crime(lambda block, metric, meant: replace(meant, pairing="position"))),
        "other pairing",
    )
    assert all("rows paired by position" in cause.text for cause in causes)


def test_passes_paired_by_position_where_ids_differ(investigate):
    causes = only(
        investigate(
            Crime(lambda block, metric, meant: replace(meant, pairing="position")), "passes"
        ),
        "other pairing",
    )
    assert all("rows paired by position" in cause.text for cause in causes)


def test_a_pairing_that_changes_p_values_alone(investigate, study, scores):
    """Both sides hold the same instances in different orders: effects are unpaired and stay,
    p-values do not.
    """
    tables = {}
    for key, frame in scores.tables.items():
        whole = frame[frame["run"].isin(["b2/st-q/code", "b3/mt-q"])].copy()
        turned = whole["run"] == "b3/mt-q"
        whole.loc[turned, whole.columns[2:]] = whole.loc[turned, whole.columns[2:]].to_numpy()[::-1]
        tables[key] = whole
    turned_scores = ScoreSet(scores.root, tables)
    comparison = replace(
        study.comparisons["effects"], blocks=[Block("3", "b2/st-q/code", "b3/mt-q")]
    )
    honest = {"effects": {c.id: c for c in printed(comparison, turned_scores, study)}}
    crime = Crime(lambda block, metric, meant: replace(meant, pairing="position"))
    causes = only(
        investigate(crime, comparison=comparison, scores=turned_scores, honest=honest),
        "other pairing",
    )
    assert {c.quantity for cause in causes for c in cause.blamed} <= {"p_adjusted", "significant"}


def test_another_run_on_one_side(investigate):
    def read(block, metric, meant):
        return replace(meant, b="b2/mt-f") if block == "2" else meant

    (cause,) = only(investigate(Crime(read)), "other run")
    assert "b2/mt-f on side B" in cause.text


def test_a_side_that_stays_at_one_size(investigate):
    (cause,) = only(
        investigate(Crime(lambda block, metric, meant: replace(meant, a="b1/st-q/code"))),
        "other run",
    )
    assert "b1/st-q/code on side A" in cause.text
    assert {block for block, _ in cause.places} == {"2", "3"}


def test_other_runs_on_both_sides(investigate):
    def read(block, metric, meant):
        return (
            replace(meant, a="b3/mt-f", b="b1/mt-q")
            if block == "2" and metric == "overlap"
            else meant
        )

    (cause,) = only(investigate(Crime(read)), "other run")
    assert "b3/mt-f on side A and b1/mt-q on side B" in cause.text


def test_another_column(investigate):
    def read(block, metric, meant):
        return replace(meant, metric="tokens") if metric == "lines" else meant

    (cause,) = only(investigate(Crime(read)), "other column")
    assert cause.text == "lines: column tokens was read instead"


def test_the_numbers_of_another_block(investigate):
    def read(block, metric, meant):
        return replace(meant, a="b1/st-q/code", b="b1/mt-q") if block == "3" else meant

    (cause,) = only(investigate(Crime(read)), "other block")
    assert "scores of block 1" in cause.text
    assert {block for block, _ in cause.places} == {"3"}


def test_unparseable_outputs_that_were_left_out(investigate):
    crime = Crime(lambda block, metric, meant: replace(meant, drop=metric in COUNTS))
    causes = only(investigate(crime), "unparseable outputs left out")
    assert {c.metric for cause in causes for c in cause.blamed} == set(COUNTS)


def test_a_test_with_continuity_correction(investigate):
    causes = only(investigate(Crime(continuity=True)), "other test")
    assert all("continuity" in cause.text for cause in causes)


def test_one_output_adjusted_by_another_correction(investigate):
    crime = Crime(correction=lambda variant, block: "bh" if variant == "RAW" else "holm")
    (cause,) = only(investigate(crime), "other correction or family")
    assert cause.text == "adjusted by BH within each block (RAW)"


def test_one_block_adjusted_by_another_correction(investigate):
    crime = Crime(correction=lambda variant, block: "bh" if block == "1" else "holm")
    causes = only(investigate(crime), "other correction or family")
    assert {c.block for cause in causes for c in cause.blamed} == {"1"}
    assert all("BH" in cause.text for cause in causes)


def test_a_family_that_spans_the_whole_comparison(investigate):
    causes = only(
        investigate(Crime(scope=lambda variant: "comparison")), "other correction or family"
    )
    assert all("adjusted by holm within each comparison" in cause.text for cause in causes)


def test_p_values_printed_without_correction(investigate):
    causes = only(
        investigate(Crime(correction=lambda variant, block: "none"), "passes"),
        "other correction or family",
    )
    assert all("not adjusted" in cause.text for cause in causes)


# ---------------------------------------------------------------- several causes


def test_two_causes_in_two_tools(investigate):
    def read(block, metric, meant):
        if metric in COUNTS:
            return replace(meant, task="code-y")
        return replace(meant, a=meant.b, b=meant.a) if block == "2" else meant

    kinds, _ = investigate(Crime(read))
    assert set(kinds) == {"other evaluation set", "sides swapped"}


def test_wrong_scores_and_a_wrong_correction(investigate):
    crime = Crime(
        lambda block, metric, meant: replace(meant, task="code-y") if metric in COUNTS else meant,
        correction=lambda variant, block: "bh",
    )
    kinds, _ = investigate(crime)
    assert set(kinds) == {"other evaluation set", "other correction or family"}


def test_wrong_scores_and_another_test(investigate):
    crime = Crime(
        lambda block, metric, meant: replace(meant, task="code-y") if metric in COUNTS else meant,
        continuity=True,
    )
    kinds, _ = investigate(crime)
    assert set(kinds) == {"other evaluation set", "other test"}


def test_another_test_and_another_correction(investigate):
    crime = Crime(correction=lambda variant, block: "bh", continuity=True)
    causes = only(investigate(crime), "other test, other correction or family")
    assert all("continuity" in c.text and "BH" in c.text for c in causes)


# ---------------------------------------------------------------- noise must stay unexplained

NOISE = {
    "effects:CLEAN:1:lines:cliffs_delta": "0.1234",
    "effects:RAW:2:tokens:cliffs_delta": "0.0765432",
    "effects:RAW:1:depth:ci_low": "-0.4321987",
    "effects:RAW:3:overlap:ci_high": "0.9876543",
    "effects:RAW:3:overlap:magnitude": "large",
    "effects:CLEAN:3:closeness:p_adjusted": "0.4242",
    "effects:RAW:3:closeness:p_adjusted": "0.4242424",
    "effects:CLEAN:2:lines:cliffs_delta": "NA",
}


@pytest.mark.parametrize("cell", NOISE)
def test_one_wrong_digit_is_unexplained(investigate, cell):
    (cause,) = only(investigate(Crime(), edits={cell: NOISE[cell]}), "unexplained")
    assert [c.id for c in cause.blamed] == [cell]


def test_a_yes_that_should_be_no_is_unexplained(investigate, honest):
    cell = honest["effects"]["effects:CLEAN:1:overlap:significant"]
    (cause,) = only(
        investigate(Crime(), edits={cell.id: {"Yes": "No", "No": "Yes"}[cell.printed]}),
        "unexplained",
    )
    assert [c.id for c in cause.blamed] == [cell.id]


@pytest.mark.parametrize(
    "quantity, text",
    [
        ("a_only", "99"),
        ("both_pass", "1"),
        ("odds_ratio", "7.7777"),
        ("p", "0.012345"),
        ("p_adjusted", "0.012345"),
    ],
)
def test_a_wrong_count_or_p_is_unexplained(investigate, quantity, text):
    (cause,) = only(
        investigate(Crime(), "passes", edits={f"passes:RAW:2:pass@1:{quantity}": text}),
        "unexplained",
    )
    assert [c.quantity for c in cause.blamed] == [quantity]


@pytest.mark.parametrize("seed", range(2))
def test_figures_from_nowhere_are_unexplained(investigate, seed):
    """A whole block of plausible effects, in both outputs, that no scores give."""
    generator = np.random.default_rng(seed)
    edits = {}
    for metric in (*COUNTS, *TEXTS):
        delta = generator.uniform(-0.3, 0.3)
        edits[f"effects:CLEAN:2:{metric}:cliffs_delta"] = f"{delta:.4f}"
        edits[f"effects:RAW:2:{metric}:cliffs_delta"] = f"{delta:.7f}"
    only(investigate(Crime(), edits=edits), "unexplained")


@pytest.mark.parametrize("seed", range(4))
def test_four_decimals_are_too_few_for_hundreds_of_hypotheses(study, bench, honest, seed):
    """With the table alone, some of hundreds of readings come close to any effect; that is no
    explanation.
    """
    comparison = replace(
        study.comparisons["effects"], outputs=study.comparisons["effects"].outputs[:1]
    )
    value = f"{np.random.default_rng(seed).uniform(-0.2, 0.2):.4f}"
    cells = [
        replace(c, printed=value) if c.id == "effects:CLEAN:2:depth:cliffs_delta" else c
        for c in honest["effects"].values()
        if c.variant == "CLEAN"
    ]
    (cause,) = Search(comparison, cells, bench).run()
    assert cause.kind == "unexplained"


def test_noise_beside_a_cause_is_not_put_down_to_it(investigate):
    def read(block, metric, meant):
        return replace(meant, task="code-y") if metric in COUNTS else meant

    cell = "effects:RAW:2:closeness:p_adjusted"
    kinds, _ = investigate(Crime(read), edits={cell: "0.4242424"})
    assert set(kinds) == {"other evaluation set", "unexplained"}
    assert [c.id for c in kinds["unexplained"].blamed] == [cell]


def test_a_spoiled_digit_inside_a_cause_does_not_hide_the_rest_of_it(investigate):
    def read(block, metric, meant):
        return replace(meant, task="code-y") if metric in COUNTS else meant

    kinds, causes = investigate(Crime(read), edits={"effects:RAW:2:depth:ci_low": "-0.4321987"})
    assert set(kinds) == {"other evaluation set", "unexplained"}
    explained = {place for cause in causes if cause.kind != "unexplained" for place in cause.places}
    assert explained == {(block, metric) for block in "123" for metric in COUNTS} - {("2", "depth")}


# ---------------------------------------------------------------- sides, rows


def test_two_columns_of_one_run_that_changed_places(investigate, study, scores):
    def damaged(run):
        frame = scores.tables["counter", "code-x"].copy()
        rows = frame["run"] == run
        frame.loc[rows, ["lines", "tokens"]] = frame.loc[rows, ["tokens", "lines"]].to_numpy()
        return ScoreSet(scores.root, scores.tables | {("counter", "code-x"): frame})

    comparison = study.comparisons["effects"]
    causes = Search(
        comparison, printed(comparison, scores, study), Bench(damaged("b2/mt-q"), study)
    ).run()
    assert [(c.kind, c.text.partition(": ")[2]) for c in causes] == [
        ("exchanged columns", "columns lines and tokens of side B changed places")
    ]


def test_another_column_on_one_side(investigate, study, scores):
    """Side B was read from the column of tokens, side A from its own."""
    frame = scores.tables["counter", "code-x"].copy()
    rows = frame["run"] == "b2/mt-q"
    frame.loc[rows, "lines"] = frame.loc[rows, "tokens"]
    comparison = study.comparisons["effects"]
    read = ScoreSet(scores.root, scores.tables | {("counter", "code-x"): frame})
    (cause,) = Search(comparison, printed(comparison, read, study), Bench(scores, study)).run()
    assert (cause.kind, cause.text.partition(": ")[2]) == (
        "other column",
        "column tokens was read instead on side B",
    )


@pytest.mark.parametrize(
    ("rows", "kind", "text"),
    [
        (slice(None, -7), "rows lost", "the last 7 rows of side B were not read"),
        (slice(3, None), "rows lost", "the first 3 rows of side B were not read"),
    ],
)
def test_rows_that_were_lost_on_one_side(study, scores, rows, kind, text):
    frame = scores.tables["texter", "code-x"]
    lost = frame[frame["run"] == "b3/mt-q"].index[rows]
    part = frame[(frame["run"] != "b3/mt-q") | frame.index.isin(lost)]
    comparison = study.comparisons["effects"]
    fewer = ScoreSet(scores.root, scores.tables | {("texter", "code-x"): part})
    causes = Search(comparison, printed(comparison, fewer, study), Bench(scores, study)).run()
    assert [(c.kind, c.text.partition(": ")[2]) for c in causes] == [(kind, text)]


def test_rows_that_repeat_those_before_them(study, scores):
    frame = scores.tables["texter", "code-x"].copy()
    at = frame.index[frame["run"] == "b3/mt-q"]
    frame.loc[at[-5:], list(TEXTS)] = frame.loc[at[-10:-5], list(TEXTS)].to_numpy()
    comparison = study.comparisons["effects"]
    repeated = ScoreSet(scores.root, scores.tables | {("texter", "code-x"): frame})
    causes = Search(comparison, printed(comparison, repeated, study), Bench(scores, study)).run()
    assert [c.kind for c in causes] == ["rows repeated"]
    assert "the last 5 rows of side B repeat" in causes[0].text


# ---------------------------------------------------------------- chance, p-values


@pytest.mark.parametrize("set_", range(1, 5))
def test_a_coarse_metric_has_too_few_effects_to_name_a_cause(study, scores, set_):
    """Hundreds of readings hit one of few effects by accident, whatever the number of digits."""

    def coarse(frame):
        changed = frame.copy()
        for number, (_, part) in enumerate(frame.groupby("run", sort=True)):
            values = np.zeros(len(part))
            values[: number % 4] = 1
            changed.loc[part.index, "depth"] = values
        return changed

    tables = {k: coarse(f) if k[0] == "counter" else f for k, f in scores.tables.items()}
    few = ScoreSet(scores.root, tables)
    comparison = study.comparisons["effects"]
    invented = coarse(scores.tables["counter", "code-x"])
    rows = invented.index[invented["run"] == "b2/mt-q"]
    invented.loc[rows, "depth"] = np.r_[np.ones(set_ + 4), np.zeros(len(rows) - set_ - 4)]
    rows = invented.index[invented["run"] == "b2/st-q/code"]
    invented.loc[rows, "depth"] = np.r_[np.ones(6), np.zeros(len(rows) - 6)]
    claimed = ScoreSet(scores.root, tables | {("counter", "code-x"): invented})
    causes = Search(comparison, printed(comparison, claimed, study), Bench(few, study)).run()
    assert {c.kind for c in causes} == {"unexplained"}


def test_a_cause_that_the_printed_p_values_contradict_is_no_cause(study, scores, honest):
    """Effects of another run, with the p-values of the stated one."""

    def read(block, metric, meant):
        return replace(meant, b="b2/mt-f") if (block, metric) == ("2", "tokens") else meant

    comparison = study.comparisons["effects"]
    effects = {"cliffs_delta", "ci_low", "ci_high", "magnitude"}
    cells = [
        other if other.quantity in effects else honest["effects"][other.id]
        for other in printed(comparison, scores, study, Crime(read))
    ]
    (cause,) = Search(comparison, cells, Bench(scores, study)).run()
    assert cause.kind == "unexplained"
    assert "fits the effects, contradicts the p-values" in cause.text
    assert {c.quantity for c in cause.blamed} <= effects and cause.blamed
    consistent = Search(
        comparison, printed(comparison, scores, study, Crime(read)), Bench(scores, study)
    ).run()
    assert [c.kind for c in consistent] == ["other run"]


@pytest.mark.parametrize(
    ("text", "possible"), [("0.0000001", False), ("raw", True), ("five", True), ("6", False)]
)
def test_an_adjusted_value_of_an_incomplete_family_lies_within_bounds(
    study, scores, honest, text, possible
):
    """Between its raw p and the size of the family (5) times that."""
    tables = {
        key: frame[frame["run"] != "b2/mt-q"] if key[0] == "counter" else frame
        for key, frame in scores.tables.items()
    }
    comparison = study.comparisons["effects"]
    bench = Bench(ScoreSet(scores.root, tables), study)
    search = Search(comparison, honest["effects"].values(), bench)
    assert not search.impossible() and len(list(search.bounded())) == 2 * len(TEXTS)
    name = "effects:RAW:2:overlap:p_adjusted"
    p = next(p for cell, p, _, _ in search.bounded() if cell.id == name)
    number = {"raw": p, "five": min(1.0, 5 * p)}.get(text) or min(0.9999999, float(text) * p)
    cells = [
        replace(c, printed=f"{number:.7g}") if c.id == name else c
        for c in honest["effects"].values()
        if c.block != "2" or c.metric not in TEXTS or c.id == name
    ]
    causes = Search(comparison, cells, bench).run()
    assert [c.kind for c in causes] == ([] if possible else ["unexplained"])


def test_adjusted_values_rise_with_the_raw_ones(study, scores, honest):
    tables = {
        key: frame[frame["run"] != "b2/mt-q"] if key[0] == "counter" else frame
        for key, frame in scores.tables.items()
    }
    comparison = study.comparisons["effects"]
    bench = Bench(ScoreSet(scores.root, tables), study)
    known = {
        c.metric: p
        for c, p, _, _ in Search(comparison, honest["effects"].values(), bench).bounded()
    }
    low, high = sorted(TEXTS, key=known.__getitem__)
    edits = {low: min(0.99, 4.9 * known[low]), high: known[high]}
    assert edits[low] > edits[high], "the bounds alone would allow this order"
    cells = [
        replace(c, printed=f"{edits[c.metric]:.7g}")
        if c.block == "2" and c.metric in edits and c.quantity == "p_adjusted"
        else c
        for c in honest["effects"].values()
    ]
    (cause,) = Search(comparison, cells, bench).run()
    assert {c.metric for c in cause.blamed} == {high}


# ---------------------------------------------------------------- labels


@pytest.mark.parametrize(
    "label, correction",
    [
        ("Holm-Bonferroni", "holm"),
        ("holm", "holm"),
        ("BH-Bonferroni", "BH"),
        ("Benjamini-Hochberg (FDR)", "BH"),
        ("BH", "BH"),
        ("Benjamini-Yekutieli", "BY"),
        ("Bonferroni", "bonferroni"),
    ],
)
def test_a_label_names_a_correction(label, correction):
    assert labelled_correction(label) == correction


def _audited(study, scores, name, cells):
    return audit(cells, [], scores, study, [study.comparisons[name]])


def test_a_label_that_the_numbers_contradict_is_found(study, scores, honest):
    cells = [
        replace(c, printed="Benjamini-Hochberg (FDR)") if c.id == "effects:CLEAN:label" else c
        for c in honest["effects"].values()
    ]
    rows, owners, _ = _audited(study, scores, "effects", cells)
    assert [(r.kind, r.cells) for r in rows] == [("wrong label", 1)]
    assert [o.id for o in owners] == ["effects:CLEAN:label"]
    assert "holm" in rows[0].hypothesis


def test_a_right_label_is_no_cause(study, scores, honest):
    rows, owners, _ = _audited(study, scores, "effects", list(honest["effects"].values()))
    assert (rows, owners) == ([], [])


def test_numbers_of_another_correction_make_a_true_label_of_the_script_wrong(study, scores):
    cells = printed(
        study.comparisons["effects"], scores, study, Crime(correction=lambda variant, block: "bh")
    )
    rows, _, _ = _audited(study, scores, "effects", cells)
    assert {r.kind for r in rows} == {"other correction or family", "wrong label"}


def test_a_label_over_numbers_that_no_correction_gives_is_a_finding(study, scores, honest):
    cells = [
        replace(c, printed="0.4242") if c.id == "effects:CLEAN:3:closeness:p_adjusted" else c
        for c in honest["effects"].values()
    ]
    rows, owners, _ = _audited(study, scores, "effects", cells)
    assert {r.kind for r in rows} == {"unexplained"}
    assert "effects:CLEAN:label" in {o.id for o in owners}
    assert any("no correction fits" in r.hypothesis for r in rows)


def test_a_label_without_numbers_is_not_compared(study, scores, honest):
    cells = [
        c
        for c in honest["effects"].values()
        if c.variant != "CLEAN" or c.quantity not in ("p_adjusted", "significant")
    ]
    search = Search(study.comparisons["effects"], cells, Bench(scores, study))
    assert search.corrections_that_fit("CLEAN") is None
    assert search.corrections_that_fit("RAW") == {"holm"}


def test_the_written_causes_count_their_cells(study, scores):
    cells = printed(
        study.comparisons["effects"],
        scores,
        study,
        Crime(
            lambda block, metric, meant: (
                replace(meant, task="code-y") if metric in COUNTS else meant
            )
        ),
    )
    rows, owners, _ = _audited(study, scores, "effects", cells)
    (row,) = rows
    assert (
        row.cells
        == row.blamed + row.carried
        == len(owners)
        == sum(o.cause == row.key for o in owners)
    )
