"""Sizes and complexities of Java code as Sonar counts them; every expected value is worked out by
hand.
"""

import pytest
from mtpeft.scoring.interface import Item
from mtpeft.scoring.sonar import metrics
from mtpeft.scoring.sonar.java import CONSTRUCTOR_CALL, measure
from mtpeft.scoring.trees import Unreadable
from mtpeft.scoring.wrapping import CLASS, framed

# code of one method, cyclomatic, cognitive (worked out by hand from the white paper and Sonar's visitors)
CASES = [
    ("int f() { return 1; }", 1, 0),
    ("abstract int f();", 0, 0),
    ("void f(int a) { if (a > 0) { g(); } }", 2, 1),
    ("void f(int a) { if (a > 0) { g(); } else if (a < 0) { g(); } else { g(); } }", 3, 3),
    ("void f(int a) { for (int i = 0; i < a; i++) { while (true) { g(); } } }", 3, 3),
    ("void f(int[] a) { for (int x : a) { do { g(); } while (x > 0); } }", 3, 3),
    (
        "void f(int a) { switch (a) { case 1: g(); break; case 2: g(); break; default: g(); } }",
        3,
        1,
    ),
    ("int f(int a) { return a > 0 ? 1 : 2; }", 2, 1),
    ("boolean f(boolean a, boolean b, boolean c) { return a && b && c; }", 3, 1),
    ("boolean f(boolean a, boolean b, boolean c) { return a && (b && c); }", 3, 1),
    ("boolean f(boolean a, boolean b, boolean c) { return a && b || c; }", 3, 2),
    ("void f() { try { g(); } catch (RuntimeException e) { if (h) { g(); } } }", 2, 3),
    ("void f() { run(() -> { if (h) { g(); } }); }", 3, 2),
    ("void f() { x: for (;;) { continue x; } }", 2, 2),
    ("Runnable f() { return new Runnable() { public void run() { if (h) { g(); } } }; }", 3, 2),
    ("int f(int a) { switch (a == -1 ? g() : a) { default: return 1; } }", 2, 3),
    ("void f() { while (a ? b : c) { g(); } }", 3, 3),
    ("void f() { for (int x : a ? b : c) { g(); } }", 3, 3),
    ("boolean x = a && b; void f() { }", 2, 0),
    # an anonymous class outside methods counts for nothing, enum constants among them
    ("Runnable r = new Runnable() { public void run() { if (h) { g(); } } };", 2, 0),
    ("enum E { X { void g() { if (a) { } } }; void h() { if (a) { } } }", 4, 1),
    # local classes count where they stand; their member classes and initializers once more
    ("void f() { class L { void m() { if (a) { } } } }", 3, 2),
    ("void f() { class L { int z = a && b ? 1 : 2; } }", 3, 3),
    ("void f() { class L { class M { void m() { if (a) { } } } } }", 3, 4),
    ("void f() { new T() { { if (a) { } } }; }", 2, 3),
    ("{ class L { void m() { if (a) { } } } }", 2, 3),
    ("static class M { void m() { if (a) { } } }", 2, 1),
    # switches: an expression counts for nothing, one label holds several constants
    ("void f(int a) { switch (a) { case 1 -> g(); default -> { if (h) { g(); } } } }", 3, 3),
    ("int f(int a) { return switch (a) { case 1, 2 -> a > 0 ? 1 : 2; default -> 3; }; }", 3, 1),
    ("void f(int a) { int b = switch (a) { case 1: yield 2; default: yield 3; }; }", 2, 0),
    ("void f(Object o) { switch (o) { case String s -> g(); case null, default -> g(); } }", 3, 1),
    (
        (
            "int f(Object o) { switch (o) { case P(int x, var y) when x > 0 && y > 0: return 1;"
            " case String s: return 2; default: return 3; } }"
        ),
        4,
        2,
    ),
    ("boolean f(Object o) { return o instanceof P(int x, Q(var y)) && x > 0; }", 2, 1),
    ("record R(int a) { R { if (a < 0) { throw e(); } } int m() { return a > 0 ? a : 0; } }", 4, 2),
    ("sealed interface S permits T { default void m() { if (a) { } } }", 2, 1),
    # else, ternaries, sequences
    ("void f() { if (a) { } else { if (b) { } } }", 3, 4),
    ("int f() { return a ? 1 : b ? 2 : 3; }", 3, 3),
    ("boolean f() { return !(a && b) || c; }", 3, 2),
    ("boolean f() { return a && (b || c) || d; }", 4, 2),
    ("boolean f() { return (a || b) || (c || d); }", 4, 1),
    ("double f() { return (double) i++ / n + (x)++ + a[0]-- + this.b++; }", 1, 0),
    # jumps, handlers, lambdas, recursion
    ("void f() { x: for (;;) { for (;;) { break x; } } }", 3, 4),
    ("void f() { for (;;) { break; } }", 2, 1),
    (
        "void f() { try { if (a) { } } catch (A | B e) { } catch (C e) { if (b) { } } finally { if (c) { } } }",
        4,
        6,
    ),
    ("void f() { synchronized (x) { if (a) { } } }", 2, 1),
    ("void f() { do { } while (a || b); }", 3, 2),
    ("void f() { run(() -> run(() -> a ? 1 : 2)); }", 4, 3),
    ("int f(int n) { return n < 1 ? 1 : f(n - 1); }", 2, 1),
    ("static { if (h) { g(); } }", 1, 1),
]
UNREAD = [
    "ublic int f() { return 1; } }",
    "1 public int f() { return 1; }",
    "int f() { position() += 1; }",
    "void f() { List<int> a; }",
    "ublic Other() { super(1); }",
    "public Other() { super(1); }",
    "int f() {",
    "int f() { return default(a); }",
    "int f() { if (a) return 1; elsereturn null; }",
    'String f() { return "a\n"; }',
    "char f() { return 'ab'; }",
    "void f() { a + b; }",
    "void f() { if (a) int b = 1; }",
    "void f() { switch (a) { case 1 -> 2; } }",
    "int f( { ; } }" * 60,
]


def wrapped(code, name="Output"):
    return framed(code, CLASS, name)


@pytest.mark.parametrize(("code", "cyc", "coc"), CASES)
def test_java_complexities_are_sonars(code, cyc, coc):
    assert measure(wrapped(code))[1:] == (cyc, coc)


@pytest.mark.parametrize("code", UNREAD)
def test_what_sonar_cannot_read_is_unparseable_and_no_zero(code):
    item = Item("r", "translation-cs-java", "translation_1", "java", code, frame=CLASS, unit="T")
    scores = list(metrics.scorer().score([item]))
    assert {(s.value, s.status) for s in scores} == {(None, "unparseable")}
    assert all(s.detail for s in scores if s.metric == "sonar_loc")


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ('class T {\n  String a = """\n    One,\n    two.\n    """;\n}\n', 4),
        ("// no code\nclass T {\n\n  /* none\n  either */ int a;\n}\n", 3),
        ("package a;\n\nimport b.C;\n\n@D\nclass T\n{\n  ;\n}\n", 7),
    ],
)
def test_lines_are_those_on_which_a_token_starts(code, lines):
    assert measure(code)[0] == lines


def test_a_constructor_in_a_class_of_its_own_name_can_be_read():
    assert measure(wrapped("public Other() { super(1); }", "Other")) == (4, 1, 0)
    assert measure(wrapped("public Other() { if (a) { } super(1); }", "Other"))[1:] == (2, 1)


@pytest.mark.parametrize(
    "code",
    [
        "void set(int a) { super(a); if (a > 1) { b = a; } }",
        "public Set(int a) { super(a); if (a > 1) { b = a; } }",
    ],
)
def test_a_doubtful_file_has_values_only_where_they_are_asked_for(code):
    with pytest.raises(Unreadable, match=CONSTRUCTOR_CALL):
        measure(wrapped(code))
    assert measure(wrapped(code), lenient=True) == (4, 2, 1)
    with pytest.raises(Unreadable):
        measure(wrapped("void f( {"), lenient=True)


def test_a_method_without_return_type_is_read_as_sonar_reads_it():
    assert measure(wrapped("public Other(int a) { b = a; }"))[1:] == (1, 0)


def test_deep_nesting_is_no_fault_of_the_text():
    deep = "(" * 3000 + "1" + ")" * 3000
    assert measure(wrapped(f"int f() {{ return {deep}; }}"))[1:] == (1, 0)
    assert measure(wrapped(f"int f() {{ return {' + '.join(['a'] * 3000)}; }}"))[1:] == (1, 0)


def test_blank_outputs_are_empty_and_no_zero():
    items = [Item("r", "t", lang, lang, " \n") for lang in ("java", "python")]
    assert {(s.value, s.status) for s in metrics.scorer().score(items)} == {(None, "empty")}


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_a_line_of_java_ends_at_a_carriage_return_too(end):
    code = "class A {\n    // first\n    int f(int a) {\n        return a > 0 ? 1 : 2;\n    }\n}\n"
    assert measure(code.replace("\n", end)) == measure(code) == (5, 2, 1)
