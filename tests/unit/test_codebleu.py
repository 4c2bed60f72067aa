"""CodeBLEU against the library itself, and the corrected variant against what it corrects."""

import logging
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mtpeft.core.errors import Unavailable
from mtpeft.scoring import codebleu as package
from mtpeft.scoring import engine
from mtpeft.scoring.codebleu import analysis, batch
from mtpeft.scoring.codebleu.batch import score_here, score_pairs
from mtpeft.scoring.codebleu.components import codebleu, components
from mtpeft.scoring.codebleu.seeds import data_flow_by_seed
from mtpeft.scoring.interface import Item

JAVA = [
    "public int sum(int[] a) {int s = 0;for (int i = 0; i < a.length; i++) {s += a[i];}return s;}",
    "public int sum(int[] values) {int total = 0;for (int v : values) {total += v;}return total;}",
    "public int sum(int[] a) { // sum\n int s = 0; /* here */\n while (s < 3) { s++; if (s > a[0]) { s = a[1]; } }\n return s; }",
    "public void print(int a) {print(x + y); print(a); a = x;}",
    'public String name() {return "größe — naïve";}',
    "public boolean isEmpty() {return true;}",
    "public int broken( {{ return ;",
    "if (a) { b = c; } else { b = d; }",
    "x",
    "",
    "   \n ",
]
CSHARP = [
    "public virtual int Sum(int[] a){int s = 0;foreach (int v in a){s += v;}return s;}",
    "public int Sum(int[] a) {int s = 0;for (int i = 0; i < a.Length; i++) {s += a[i];}return s;}",
    "",
]
PYTHON = [
    'def sum(a):\n    """Adds."""\n    s = 0\n    for v in a:\n        s += v  # here\n    return s',
    "def sum(a):\n    s, n = 0, len(a)\n    while n:\n        n -= 1\n        s += a[n]\n    return s",
    "def broken(:\n  'unterminated",
    "",
]


def library(reference: str, output: str, language: str) -> float:
    from codebleu import calc_codebleu

    logging.disable(logging.WARNING)
    try:
        return calc_codebleu([reference], [output], analysis.LIBRARY_LANGUAGE[language])["codebleu"]
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("language", "texts"), [("java", JAVA), ("csharp", CSHARP), ("python", PYTHON)]
)
def test_released_variant_equals_the_library_to_the_last_bit(language, texts):
    for reference in texts:
        for output in texts:
            if reference.strip():
                assert codebleu(reference, output, language) == library(
                    reference, output, language
                ), (reference, output)


WORDS = st.sampled_from(
    [
        "public",
        "int",
        "a",
        "b",
        "c",
        "=",
        "+",
        ";",
        "{",
        "}",
        "(",
        ")",
        "if",
        "else",
        "while",
        "for",
        "for(;;)",
        "return",
        "a[i]",
        "i++",
        '"s"',
        "//",
        "/*",
        "*/",
        "'c'",
        "ü",
        "\n",
    ]
)
CODE = st.lists(WORDS, max_size=25).map(" ".join)


@given(CODE.filter(str.strip), CODE)
def test_released_variant_equals_the_library_on_arbitrary_tokens(reference, output):
    assert codebleu(reference, output, "java") == library(reference, output, "java")


def test_an_empty_output_scores_a_quarter_as_released_and_nothing_as_corrected():
    assert codebleu(JAVA[0], "", "java") == 0.25
    assert codebleu(JAVA[0], "", "java", corrected=True) == 0.0


def test_a_perfect_output_without_data_flow_is_not_punished_by_the_correction():
    reference = JAVA[5]
    assert components(reference, reference, "java").data_flow is None
    assert codebleu(reference, reference, "java", corrected=True) == pytest.approx(1.0)


def test_a_missed_data_flow_counts_as_missed():
    reference, output = "int f(int a) {int b = a;return b;}", "int f(int a) {return 0;}"
    parts = components(reference, output, "java", corrected=True)
    assert parts.data_flow == 0
    assert parts.corrected() == pytest.approx(
        (parts.ngram + parts.weighted_ngram + parts.syntax) / 4
    )
    assert parts.released() == pytest.approx(parts.corrected() + 0.25)


def test_the_brevity_penalty_bites_only_as_corrected():
    reference = "a b c d e f g h"
    released, repaired = (
        components(reference, "a b c d", "java", corrected=c).weighted_ngram for c in (False, True)
    )
    assert repaired == pytest.approx(released * 2.718281828459045 ** (1 - 8 / 4))


SEED_DEPENDENT = (
    "public int f(int[] x, int[] y, int n) {int s = 0;for (int i = 0; i < n; i++) {s = x[i] + y[i] + n + s;}"
    "while (s > n) {s = s - n + x[0];}return s;}"
)
RENAMED = (
    SEED_DEPENDENT.replace("x", "left").replace("y", "right").replace("n", "k").replace("s", "t")
)


def test_only_the_released_data_flow_depends_on_the_hash_seed():
    released = {
        values[0]
        for values in data_flow_by_seed([(SEED_DEPENDENT, RENAMED)], "java", range(4)).values()
    }
    assert len(released) > 1, "the example no longer shows the dependence"
    program = (
        "import sys; from mtpeft.scoring.codebleu.components import codebleu; "
        "print(codebleu(*sys.argv[1:], 'java', corrected=True))"
    )
    answers = set()
    for seed in range(4):
        done = subprocess.run(
            [sys.executable, "-c", program, SEED_DEPENDENT, RENAMED],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": str(seed), "PYTHONPATH": "code"},
            check=True,
        )
        answers.add(done.stdout)
    assert len(answers) == 1


def test_the_correction_leaves_the_library_untouched():
    before = library(SEED_DEPENDENT, RENAMED, "java")
    codebleu(SEED_DEPENDENT, RENAMED, "java", corrected=True)
    assert library(SEED_DEPENDENT, RENAMED, "java") == before


def many(count: int) -> list[tuple[str, str]]:
    return [(JAVA[i % 4], f"int f{i}(int a) {{int b = a;return b;}}") for i in range(count)]


def test_worker_processes_give_the_values_of_one_process_in_order():
    pairs = many(250) + many(10)
    assert score_pairs(pairs, "java", processes=2) == score_here(pairs, "java", corrected=False)


def test_a_dying_worker_costs_only_the_output_that_kills_it(monkeypatch):
    def deadly(reference: str, output: str, language: str, variant: bool) -> float:
        if output == "kill":
            os._exit(9)
        return codebleu(reference, output, language, variant)

    monkeypatch.setattr(batch, "codebleu", deadly)
    pairs = many(250)
    pairs[77] = (JAVA[0], "kill")
    found = score_pairs(pairs, "java", processes=2)
    assert [i for i, outcome in enumerate(found) if outcome.status != "ok"] == [77]
    assert (found[77].value, found[77].status) == (None, "infrastructure")


def test_an_output_that_keeps_the_extractor_busy_for_ever_has_a_deadline():
    nested = "while (a) { a = b; " * 40 + "}" * 40
    late, good = score_here(
        [(JAVA[0], nested), (JAVA[0], JAVA[1])], "java", corrected=False, deadline=0.3
    )
    assert (late.value, late.status) == (None, "infrastructure")
    assert good.value == codebleu(JAVA[0], JAVA[1], "java")


def test_outputs_that_no_parser_should_see_are_a_status():
    huge, surrogate = score_here(
        [(JAVA[0], "a;" * 200_000), (JAVA[0], "int \udc80;")], "java", corrected=False
    )
    assert (huge.value, huge.status) == (None, "unparseable")
    assert (surrogate.value, surrogate.status) == (None, "unparseable")


def item(output: str, reference: str = JAVA[0], name: str = "t") -> Item:
    return Item("r", "translation-cs-java", name, "java", output, reference)


def test_both_scorers_name_their_variant_and_keep_a_missing_reference_apart(known, monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    for tool in ("codebleu", "codebleu-corrected"):
        scorer = engine.load(tool)
        assert scorer.tool == tool and list(scorer.metrics) == [
            m.id for m in known.tools[tool].metrics
        ]
        good, bare = scorer.score([item(JAVA[1]), item(JAVA[1], reference=" ")])
        assert (good.metric, good.status) == (scorer.metrics[0], "ok")
        assert good.value == codebleu(JAVA[0], JAVA[1], "java", scorer.corrected)
        assert (bare.value, bare.status) == (None, "infrastructure")


def test_the_released_version_names_the_hash_seed(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert package.scorer().version() == "0.7.0, hash seed 7"
    assert engine.load("codebleu-corrected").version() == "0.7.0"


def test_values_of_a_random_hash_seed_are_neither_made_nor_cached(monkeypatch):
    for name in ("", "random"):
        monkeypatch.setenv("PYTHONHASHSEED", name)
        with pytest.raises(Unavailable, match="hash seed is random"):
            package.scorer().version()
        assert engine.load("codebleu-corrected").version() == "0.7.0"


def test_only_translations_are_scored(known):
    accepted = {
        name
        for name, evaluation in known.evaluations().items()
        if package.scorer().accepts(evaluation)
    }
    assert accepted == {"translation-java-cs", "translation-cs-java"}


def test_a_missing_library_is_unavailable_and_no_zero(monkeypatch):
    monkeypatch.setitem(sys.modules, "codebleu", None)
    analysis.grammar.cache_clear()
    try:
        with pytest.raises(Unavailable, match="CodeBLEU cannot run"):
            score_pairs([(JAVA[0], JAVA[1])], "java")
    finally:
        analysis.grammar.cache_clear()
