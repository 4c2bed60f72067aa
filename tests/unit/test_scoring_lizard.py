"""Lizard's counts must be the published ones, double count included, and the plain ones beside
them.
"""

import pytest
from mtpeft.scoring import engine
from mtpeft.scoring.interface import Item

BRANCHES = "\n".join(f"    if (a == {n}) return {n};" for n in range(15))
COMPLEX = f"int f(int a) {{\n{BRANCHES}\n    return 0;\n}}"
SIMPLE = "int g() {\n    return 1;\n}"


def values(tool, code, language="java"):
    item = Item("r", "t", "translation_1", language, code)
    return {
        s.metric.split("_", 1)[1].removeprefix("plain_"): (s.value, s.status)
        for s in engine.load(tool).score([item])
    }


def test_a_function_above_a_threshold_counts_twice_as_published_and_once_as_plain():
    published, plain = values("lizard", COMPLEX), values("lizard-plain", COMPLEX)
    assert plain["cyclomatic"] == (16, "ok") and published["cyclomatic"] == (32, "ok")
    assert published["loc"][0] == 2 * plain["loc"][0]
    assert published["tokens"][0] == 2 * plain["tokens"][0]
    assert published["detection_rate"] == plain["detection_rate"] == (1, "ok")


def test_a_function_at_the_threshold_counts_once():
    code = COMPLEX.replace("    if (a == 0) return 0;\n", "")
    assert values("lizard", code)["cyclomatic"] == (15, "ok")


def test_the_counts_are_sums_over_functions():
    one, two = values("lizard", SIMPLE), values("lizard", SIMPLE + "\n" + SIMPLE.replace("g", "h"))
    assert two["tokens"][0] == 2 * one["tokens"][0] and two["cyclomatic"] == (2, "ok")


@pytest.mark.parametrize(
    ("code", "status"), [("", "empty"), (" \n\t", "empty"), ("2017-06-25", "unparseable")]
)
def test_no_function_is_a_detection_rate_of_zero_and_no_count(code, status):
    got = values("lizard", code)
    assert got.pop("detection_rate") == (0, "ok")
    assert set(got.values()) == {(None, status)}


def test_python_is_read_as_python():
    assert values("lizard", "def f(a):\n    return a if a else 1\n", "python")["cyclomatic"] == (
        2,
        "ok",
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("public override int Get() => a ?? b;", "cannot run here"),
        ("public int P { get { return x; } set { x = value; } }", "cannot run here"),
        ("public int this[int i] => a[i];", "cannot run here"),
        ("public T Max<T>(T x) where T : struct, IComparable<T> { return x; }", "cannot run here"),
        ("public event E Changed { add { } remove { } }", "cannot run here"),
        ("public override int Get() => a ?? ;", "unparseable"),
        ("enum E { A }", "unparseable"),
        ("garbage (", "unparseable"),
    ],
)
def test_sound_csharp_that_lizard_does_not_know_is_no_broken_answer(code, status):
    found = values("lizard", code, "csharp")
    assert found["loc"] == (None, status)
    assert found["detection_rate"] == ((0, "ok") if status == "unparseable" else (None, status))


def test_sound_java_that_lizard_does_not_know_is_no_broken_answer():
    code = "record P<A>(A a) { static <T> P<T> of(T t) { return new P<>(t); } }"
    assert values("lizard", code)["loc"] == (None, "cannot run here")
    assert values("lizard", "record P<A>(A a) { }")["loc"] == (None, "unparseable")


def test_csharp_that_lizard_knows_has_its_counts():
    assert values("lizard", "int Get() { return a ?? b; }", "csharp")["loc"] == (1, "ok")


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_lines_end_as_in_a_file_that_lizard_reads(end):
    code = "int f(int a) {\n    // first\n    if (a == 1) return 1;\n    return 2;\n}"
    assert values("lizard", code)["loc"] == (4, "ok")
    assert values("lizard", code.replace("\n", end)) == values("lizard", code)
