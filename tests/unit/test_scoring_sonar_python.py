"""Complexities of Python code as Sonar counts them; every expected value is worked out by hand from
the white paper.
"""

import ast
import textwrap

import pytest
from mtpeft.scoring.sonar.metrics import python_metrics
from mtpeft.scoring.sonar.python import cognitive, cyclomatic

CASES = [
    # code, cyclomatic, cognitive
    ("def f():\n    return 1", 1, 0),
    ("def f(a):\n    if a:\n        return 1", 2, 1),
    (
        "def f(a):\n    if a:\n        pass\n    elif a > 1:\n        pass\n    else:\n        pass",
        2,
        3,
    ),
    ("def f(a):\n    if a:\n        pass\n    else:\n        if a > 1:\n            pass", 3, 4),
    ("def f(a):\n    for x in a:\n        while x:\n            x = x - 1", 3, 3),
    ("def f(a):\n    for x in a:\n        pass\n    else:\n        pass", 2, 2),
    (
        "def f(a):\n    try:\n        pass\n    except ValueError:\n        if a:\n            pass",
        2,
        3,
    ),
    (
        "def f(a):\n    try:\n        pass\n    except ValueError:\n        pass\n    else:\n        pass",
        1,
        2,
    ),
    ("def f(a):\n    return 1 if a else 2", 2, 1),
    ("def f(a):\n    for x in a:\n        y = 1 if x else 2", 3, 3),
    ("def f(a, b, c):\n    return a and b and c", 3, 1),
    ("def f(a, b, c):\n    return a and b or c", 3, 2),
    ("def f(a, b, c, d):\n    return a or b and c or d", 4, 3),
    ("def f(a, b, c):\n    return a and (b and c)", 3, 2),
    ("def f(a, b, c):\n    return a and not (b and c)", 3, 2),
    ("def f(a):\n    return [x for x in a if x if x > 1]", 3, 0),
    ("def f(a):\n    return lambda x: 1 if x else 2", 2, 1),
    # a function inside a function deepens the nesting, unless the outer one only holds and returns
    # it
    ("def f(a):\n    x = 1\n    def g(b):\n        if b:\n            pass\n    return g", 3, 2),
    ("def f(a):\n    def g(b):\n        if b:\n            pass\n    return g", 3, 1),
    (
        'def f(a):\n    """Doc."""\n    def g(b):\n        if b:\n            pass\n    return g',
        3,
        2,
    ),
    ("if a:\n    pass", 1, 1),
]


@pytest.mark.parametrize(("code", "cyc", "coc"), CASES)
def test_complexities(code, cyc, coc):
    tree = ast.parse(code)
    assert (cyclomatic(tree), cognitive(tree)) == (cyc, coc)


@pytest.mark.parametrize(
    ("code", "loc"),
    [
        ("def f():\n    return 1\n", 2),
        (
            'def f():\n    """Documentation\n    in two lines."""\n\n    # a comment\n    return 1\n',
            2,
        ),
        (
            'def f():\n    """Documentation."""\n    """Not documentation,\n    but a statement."""\n    return 1\n',
            4,
        ),
        ("x = [\n    1,\n\n    2,\n]\n", 4),
        ("x = '''a\nb\nc'''\n", 3),
        ('x = "ä"; y = "b"\n', 1),
        ('class C:\n    "ä"\n    x = 1\n', 2),
    ],
)
def test_lines_of_code(code, loc):
    assert python_metrics(code)[0] == loc


def test_tabs_mixed_with_blanks_are_read_as_sonar_reads_them():
    code = textwrap.dedent("""\
        def f(a):
        \tif a:
                return 1
        """)
    with pytest.raises(TabError):
        ast.parse("def f(a):\n\tif a:\n\t\tpass\n        return 1\n")
    assert python_metrics("def f(a):\n\tif a:\n\t\tpass\n        return 1\n") == (4, 2, 1)
    assert isinstance(python_metrics(code), str), "the body of `if` is not indented"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(a):\n\t\tdef g(b):\n\t\t\treturn b\n\t\treturn g\n\n\treturn f\n", (5, 2, 0)),
        (
            "def f(a):\n    if a:\n            return 1\n        # a comment\n    return 2\n  \n",
            (4, 2, 1),
        ),
    ],
)
def test_a_line_that_falls_back_to_a_depth_without_block_is_read_as_sonar_reads_it(code, expected):
    assert python_metrics(code) == expected


def test_an_unexpected_indent_stays_unreadable():
    assert isinstance(python_metrics("def f():\n    a = 1\n        b = 2\n"), str)
    assert isinstance(python_metrics("def f():\nreturn 1\n"), str)


def test_unreadable_code_is_a_reason_and_no_number():
    assert python_metrics("def f(:\n") == "1: invalid syntax (<unknown>, line 1)"
    assert isinstance(python_metrics("a\0b"), str)
    assert isinstance(python_metrics("(" * 5000), str)


@pytest.mark.parametrize(
    ("code", "right"),
    [
        ("def f(a, b, c, d):\n    return a or (b and c) or d\n", 2),
        ("def f(a, b, c, d):\n    return a or b and c or d\n", 3),
        ("def f(a, b, c):\n    return (a and b) or c\n", 2),
        ("def f(a, b, c):\n    return a or (  # (\n        b and c)\n", 2),
        ("def o(x):\n    def i(y):\n        if y:\n            return 1\n    return i(x)\n", 2),
        ("def o(x):\n    def i(y):\n        if y:\n            return 1\n    return i\n", 1),
        (
            "def o(x):\n    class C:\n        def m(self):\n            if x:\n                pass\n",
            1,
        ),
    ],
)
def test_cognitive_complexity_follows_sonars_visitor(code, right):
    assert python_metrics(code)[2] == right


@pytest.mark.parametrize(
    ("code", "right"),
    [
        ("def f(x):\n    print x\n", (2, 1, 0)),
        ("\ufeffx = 1\n", (1, 0, 0)),
        ("x = " + " + ".join(["a"] * 600) + "\n", (1, 0, 0)),
        (
            "def f():\n    try:\n        print >>s, 'a', 1\n    except E, e:\n        raise X, 'no'\n",
            (5, 1, 1),
        ),
    ],
)
def test_what_sonars_parser_reads_has_a_value(code, right):
    assert python_metrics(code) == right


@pytest.mark.parametrize("code", ["print = (1\n", "def f(:\n", "print 'a\n"])
def test_what_no_parser_reads_is_still_unreadable(code):
    assert isinstance(python_metrics(code), str)
