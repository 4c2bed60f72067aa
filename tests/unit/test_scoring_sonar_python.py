"""Sizes and complexities of Python code as Sonar counts them; every expected value is worked out by
hand from the white paper and from the rules of Sonar's visitors.
"""

import textwrap

import pytest
from mtpeft.scoring.sonar.python import measure
from mtpeft.scoring.trees import Unreadable


def python_metrics(code):
    """(lines, cyclomatic, cognitive), or why there are none."""
    try:
        return measure(code)
    except Unreadable as error:
        return error.found


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
    # nested functions: what a wrapper is, and where a function begins
    ("def o():\n    def i():\n        if a:\n            pass", 3, 1),
    ("def o():\n    def i():\n        if a:\n            pass\n    return i\n    return o", 3, 1),
    ("def o():\n    def i():\n        if a:\n            pass\n    return (i)", 3, 2),
    ("def o():\n    def i():\n        if a:\n            pass\n    return i, o", 3, 2),
    ("def o():\n    @d\n    def i():\n        if a:\n            pass\n    return i", 3, 1),
    (
        "def o():\n    def i():\n        if a:\n            pass\n    def j():\n        if a:\n            pass",
        5,
        4,
    ),
    ("if a:\n    def f():\n        if b:\n            pass", 3, 2),
    ("def o():\n    if a:\n        def i():\n            if b:\n                pass", 4, 4),
    ("def o():\n    x = 1\n    def i(y=1 if a else 2):\n        pass", 3, 2),
    ("def o():\n    x = 1\n    @d(1 if a else 2)\n    def i():\n        pass", 3, 2),
    # classes begin anew
    ("if a:\n    class C:\n        x = 1 if b else 2", 2, 2),
    (
        "def o():\n    x = 1\n    class C:\n        def m(self):\n            if a:\n                pass",
        3,
        1,
    ),
    # match counts for nothing and nests, as do its guards
    (
        (
            "def f(x):\n    match x:\n        case 1 if a and b:\n            if c:\n                pass\n"
            "        case _:\n            pass"
        ),
        3,
        3,
    ),
    # try, finally and with do not nest, handlers do
    ("try:\n    if a:\n        pass\nfinally:\n    if a:\n        pass", 2, 2),
    ("with a:\n    if b:\n        pass", 1, 1),
    ("try:\n    pass\nexcept* E:\n    if a:\n        pass\nexcept* F:\n    pass", 1, 4),
    ("while a:\n    pass\nelse:\n    if b:\n        pass", 2, 4),
    # expressions
    ("x = 1 if a else 2 if b else 3", 2, 3),
    ("x = [a if b else c for d in e if f]", 2, 1),
    ("x = {k: v for k, v in y if k and v}", 2, 1),
    ("f = lambda x: x and y or z", 2, 2),
    ("x = not a and not (b or c)", 2, 2),
    ("x = (a or  # first\n     b\n     or c)", 2, 1),
    ("x = a or \\\n    b and c", 2, 2),
    ("x = a if b and c else d", 2, 2),
    # jumps and recursion count for nothing
    (
        "def f(n):\n    for x in n:\n        if x:\n            break\n        continue\n    return f(x)",
        3,
        3,
    ),
    ("async def f():\n    async for x in y:\n        await x", 2, 1),
    # what only newer interpreters parse
    ('x = f"{d["a"] if d else "b"}"', 1, 1),
    ("x = f'{f'{a or b}'}'", 1, 1),
    ("def f[T](x: T) -> T:\n    if x:\n        return x", 2, 1),
    ("class C[T: int, *Ts, **P]:\n    pass", 0, 0),
    ("type X[T] = list[T]", 0, 0),
]


@pytest.mark.parametrize(("code", "cyc", "coc"), CASES)
def test_complexities(code, cyc, coc):
    assert measure(code)[1:] == (cyc, coc)


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
        # a line of documentation is none of code, whatever else it holds
        ('def f(): "Doc."\n', 0),
        ("def f():\n    'Doc' 'umentation'\n    return 1\n", 2),
        ("x = 1 + \\\n    2  # three\n\n# no code\n", 2),
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
    assert isinstance(python_metrics("def f():\n    # nothing\n"), str)
    assert python_metrics("if a:\n        b\n    c\n    d\n") == "4: unexpected indent"


def test_unreadable_code_is_a_reason_and_no_number():
    assert python_metrics("x = 1\ndef f(:\n") == "2: invalid syntax"
    assert isinstance(python_metrics("a\0b"), str)
    assert isinstance(python_metrics("(" * 5000), str)
    assert python_metrics("x = " + "(" * 3000 + "1" + ")" * 3000 + "\n") == (1, 0, 0)


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


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_a_line_of_python_ends_at_a_carriage_return_too(end):
    code = "def f(a):\n    # first\n    if a:\n        return 1\n    return 2\n"
    assert measure(code.replace("\n", end)) == measure(code) == (4, 2, 1)
