"""Detectors must see the damage and nothing else; repairs must undo it and leave sound outputs
alone.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mtpeft.scoring.output_defects import (
    constructor_name,
    defects_of,
    repair,
    repair_literals,
    skeleton,
)

SOUND = 'public String f(int a) {\n    return a > 1 ? "x;y" : "{";\n}'


@pytest.mark.parametrize(
    ("code", "defect", "repaired"),
    [
        (SOUND[1:], "lost_first_letter", SOUND),
        ("1 " + SOUND, "stray_number", SOUND),
        ("1" + SOUND, "stray_number", SOUND),
        ("2017-06-25 " + SOUND, "stray_number", SOUND),
        ("c# " + SOUND, "stray_word", SOUND),
        ("Java\n" + SOUND, "stray_word", SOUND),
        (SOUND + "\nHuman Translate from C# to Java: void G() { }", "run_on", SOUND),
        (SOUND + "\nuser\nmore", "run_on", SOUND),
        ('void f() {\n    g("a;\n    b");\n}', "split_literal", 'void f() {\n    g("a;b");\n}'),
    ],
)
def test_mechanical_damage_is_seen_and_repaired(code, defect, repaired):
    assert defect in defects_of(code, "java")
    assert repair(code, "java") == (repaired, [defect])


def test_a_missing_method_head_is_taken_from_the_prompt():
    code = "/** Doubles. */\n    int b = a * 2;\n    return b;\n}"
    assert "missing_head" in defects_of(code, "java")
    repaired, made = repair(code, "java", "public int twice(int a){")
    assert made == ["missing_head"]
    assert (
        repaired
        == "/** Doubles. */\npublic int twice(int a){\n    int b = a * 2;\n    return b;\n}"
    )
    assert repair(code, "java", "") == (code, [])


@pytest.mark.parametrize(
    "code",
    [
        SOUND,
        "",
        "/** Doc. */\npublic int f() {\n    return 1;\n}",
        "@Override\npublic int f() {\n    return 1;\n}",
        "void f(User user) {\n    if (x) {\n        return;\n    }\n    user.setName(1);\n}",
        "void f() {\n    { g(); }\n    system = new X();\n    { h(); } user.call();\n}",
        "int f() {\n    return 1;\n}",
        'void f() {\n    g("a");\n    // it\'s; "odd\n    h();\n}',
    ],
)
def test_sound_outputs_are_left_alone(code):
    assert repair(code, "java", "int z()") == (code, [])
    assert set(defects_of(code, "java")) <= {"empty"}


@pytest.mark.parametrize(
    ("code", "language", "defect"),
    [
        (" \n", "java", "empty"),
        ("2", "java", "no_code"),
        ("2017-06-25 18:00", "java", "no_code"),
        ("SUMMARY: Adds numbers . DONE", "python", "other_task"),
        ("/** x\nMethod to implement:\nint f()", "java", "prompt_echo"),
        ("public virtual void F() { }", "java", "wrong_language"),
        ("public void f(string a) { }", "java", "wrong_language"),
        ("public void f(DateTime? a) { }", "java", "wrong_language"),
        ("void f() {\n    if (a) {\n        b();", "java", "truncated"),
        ("def f():\n    return (1,", "python", "truncated"),
        ('def f():\n    """doc', "python", "truncated"),
        ('def f():\n    """\n    def f():\n    """', "python", "repeated_head"),
    ],
)
def test_damage_that_cannot_be_repaired_is_named(code, language, defect):
    assert defect in defects_of(code, language)


@pytest.mark.parametrize(
    "code",
    [
        'void f() { g("virtual override"); } // string s',
        "int f() { return s.toString(); }",
        "boolean f() { return a ? b : c; }",
    ],
)
def test_words_in_strings_and_comments_are_not_taken_for_code(code):
    assert "wrong_language" not in defects_of(code, "java")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("public Parser(int a) {\n    super(a);\n}", "Parser"),
        ("Parser() { }", "Parser"),
        ("@Deprecated\nprotected Parser(Map<String, String> a) throws IOException { }", "Parser"),
        ("public void parse() { }", None),
        ("ublic Parser() { }", None),
        ("if (a) { }", None),
        ("", None),
    ],
)
def test_constructors_are_told_from_methods(code, name):
    assert constructor_name(code) == name


@given(st.text(alphabet="ab;{}\"'\\/*\n ", max_size=60))
def test_the_skeleton_keeps_every_line_and_column(code):
    bare = skeleton(code)
    assert len(bare) == len(code) and [len(x) for x in bare.split("\n")] == [
        len(x) for x in code.split("\n")
    ]


@given(st.text(alphabet='ab;{}"\\\n ', max_size=60))
def test_mending_literals_only_removes_white_space(code):
    assert "".join(repair_literals(code).split()) == "".join(code.split())


@given(st.text(alphabet="0123456789 .:-/p", max_size=3000))
def test_long_runs_of_digits_do_not_hang_the_search(code):
    defects_of(code, "java")
