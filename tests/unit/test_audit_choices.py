"""Choices that are repeated as published are named with the numbers that they move."""

from collections import Counter
from dataclasses import replace

import pytest
from mtpeft.audit.choices import BY_ROW, LABELS, ZEROS, Repeated, repeated
from mtpeft.audit.consistency import OVERLAP, Check, check_printed
from mtpeft.audit.readings import Bench
from mtpeft.catalog import catalog
from mtpeft.catalog.places import score_roots, statistics_files
from mtpeft.core.records import PublishedCell, ScoreSet, read_records
from mtpeft.scoring.leaks import has_docstring
from mtpeft.statistics.compare import run_all

STUDY = "multitask-qlora"
COMPARISONS = ("rq1-generation-java", "rq2-pass1", "rq3-pass1", "rq2-translation-cs-java")


@pytest.fixture(scope="module")
def shipped():
    """Choices of a few comparisons of the archive."""
    known = catalog()
    known = replace(known, comparisons={c: known.comparisons[c] for c in COMPARISONS})
    scores = ScoreSet.load(*score_roots(known))
    cells = [c for path in statistics_files(known) for c in read_records(path, PublishedCell)]
    cells = [c for c in cells if c.comparison in COMPARISONS]
    checks: list[Check] = [
        check
        for name in ("rq2-pass1", "rq3-pass1")
        for check in check_printed(known.comparisons[name], cells, scores, known)
        if check.check == OVERLAP
    ]
    tests = run_all(scores, known.comparisons.values(), known)
    return repeated(known, cells, tests, checks, Bench(scores, known))


def moved(
    found: list[Repeated], choice: str, comparison: str, block: str
) -> dict[str, tuple[str, str]]:
    return {
        r.quantity: (r.published, r.right)
        for r in found
        if (r.choice, r.comparison, r.block) == (choice, comparison, block)
    }


@pytest.mark.parametrize(
    ("block", "published", "right"),
    [  # printed values, and what pairs by instance id give
        ("python-0.5b", (25, 23, 0.885, 1.09), (8, 6, 0.789, 1.31)),
        ("python-1.5b", (26, 20, 0.461, 1.29), (14, 8, 0.286, 1.71)),
    ],
)
def test_tests_paired_by_row_are_told_with_the_right_pairs(shipped, block, published, right):
    found = moved(shipped, BY_ROW, "rq2-pass1", block)
    for quantity, was, now in zip(
        ("a_only", "b_only", "p", "odds_ratio"), published, right, strict=True
    ):
        assert [float(v) for v in found[quantity]] == pytest.approx([was, now], abs=0.006)


def test_sides_in_step_are_no_fault(shipped):
    places = {(r.comparison, r.block) for r in shipped if r.choice == BY_ROW}
    assert places == {
        ("rq2-pass1", "python-0.5b"),
        ("rq2-pass1", "python-1.5b"),
        ("rq3-pass1", "python-CG+CS"),
    }


def test_a_pairing_that_no_archived_score_shows_is_seen_by_its_counts(shipped):
    found = [r for r in shipped if r.comparison == "rq3-pass1" and r.choice == BY_ROW]
    assert {r.quantity for r in found} == {"a_only", "b_only", "p", "odds_ratio"}
    assert all(not r.right and "12 common passes of 40 and 37" in r.detail for r in found)


def test_zeros_of_unparseable_outputs_move_means_and_conclusions(shipped):
    found = [r for r in shipped if (r.choice, r.comparison) == (ZEROS, "rq2-translation-cs-java")]
    best = next(r for r in found if (r.block, r.metric) == ("3b", "pmd_codestyle"))
    assert best.detail.startswith("777 and 282 outputs unparseable")
    assert best.published != best.right and Counter(r.turns for r in found)["yes"] > 0
    assert not any(r.metric == "lizard_detection_rate" for r in found), "a rate's zero is a value"


def test_a_label_that_mixes_two_methods_is_no_name(shipped):
    found = [r for r in shipped if r.choice == LABELS]
    assert [(r.comparison, "BH-Bonferroni" in r.detail) for r in found] == [
        ("rq1-generation-java", True)
    ]


def test_values_that_rest_on_a_declared_choice_are_counted():
    known = catalog()
    cells = [c for path in statistics_files(known) for c in read_records(path, PublishedCell)]
    found = repeated(
        replace(known, comparisons=known.comparisons), cells, [], [], Bench(ScoreSet(None), known)
    )
    sums: Counter[str] = Counter()
    for r in found:
        sums[r.choice] += int(r.published) if r.quantity == "printed values" else 0
    metrics = {m.id for m in known.tools["text-metrics"].metrics}
    mine = [c for c in cells if "summarization" in c.comparison and c.metric in metrics]
    assert sums["other-references"] == len(mine) > 0
    assert sums["docstrings-in-inputs"] > 0


@pytest.mark.parametrize(
    ("code", "language", "held"),
    [
        ('def f():\n    """Say it."""\n', "python", True),
        ("    def f():\n        return 1\n", "python", False),
        ("def f():\n    print 'old'\n", "python", False),
        ("def f():\n    '''Old.'''\n    print \"x\"\n", "python", True),
        ("/** Says it. */ int f() { return 1; }", "java", True),
        ("int f() { return 1; } // no", "java", False),
    ],
)
def test_code_that_documents_itself_is_told(code, language, held):
    assert has_docstring(code, language) == held
