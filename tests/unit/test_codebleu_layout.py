"""The study's layout step, its inverse, and the search for what it lost. All code here is made up."""

from hypothesis import given
from hypothesis import strategies as st
from mtpeft.core.records import read_records
from mtpeft.scoring.codebleu.archive import (
    BEGINNING,
    BLANKS,
    EQUAL,
    UNEXPLAINED,
    ArchivedRow,
    Explanation,
    explain,
    write_explanations,
)
from mtpeft.scoring.codebleu.components import codebleu
from mtpeft.scoring.codebleu.layout import format_layout, joins, split_layout, unformat

NAMES = st.sampled_from(["a", "b", "list", "x1"])
EXPRESSIONS = (
    st.builds(lambda a, b: f"{a} + {b}", NAMES, NAMES)
    | NAMES
    | st.builds(lambda a: f'call({a}, "text")', NAMES)
)
SIMPLE = st.builds(lambda a, e: f"{a} = {e};", NAMES, EXPRESSIONS) | st.builds(
    lambda e: f"return {e};", EXPRESSIONS
)


def blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, min_size=1, max_size=3).map("".join)
    return (
        st.builds(lambda c, b: f"if ({c}) {{{b}}}", NAMES, body)
        | st.builds(lambda c, b, d: f"if ({c}) {{{b}}} else {{{d}}}", NAMES, body, body)
        | st.builds(
            lambda b, d: f"try {{{b}}} catch (Exception e) {{{d}}} finally {{{b}}}", body, body
        )
        | st.builds(lambda c, b: f"do {{{b}}} while ({c});", NAMES, body)
        | st.builds(lambda c, b: f"while ({c}) {{{b}}}", NAMES, body)
        | st.builds(lambda a, b: f"for (int {a} = 0; {a} < 3; {a}++) {{{b}}}", NAMES, body)
        | st.builds(lambda a, b: f"for (; {a}.hasNext();) {{{b}}}", NAMES, body)
    )


METHODS = st.lists(st.recursive(SIMPLE, blocks, max_leaves=8), min_size=1, max_size=4).map(
    lambda statements: f"public void run(int a) {{{''.join(statements)}}}"
)


@given(METHODS)
def test_unformat_is_the_inverse_of_the_layout_step_on_code_of_the_corpus(code):
    assert unformat(format_layout(code)) == code


@given(METHODS)
def test_the_layout_step_is_idempotent_and_loses_no_visible_character(code):
    laid_out = format_layout(code)
    assert format_layout(laid_out) == laid_out
    assert "".join(laid_out.split()) == "".join(code.split())


def test_a_while_after_a_plain_block_gets_no_blank():
    assert unformat("{\n    a();\n}\nwhile (b) {\n    c();\n}") == "{a();}while (b) {c();}"


def test_an_empty_output_has_no_joins():
    assert unformat("") == "" and joins(split_layout(" \n ")) == []


REFERENCE = "public int twice(int a) {int b = a + a;log(b);return b;}"


def row(raw: str, archived_from: str | None = None, name: str = "1") -> ArchivedRow:
    return ArchivedRow(
        "run",
        name,
        REFERENCE,
        format_layout(raw),
        codebleu(REFERENCE, archived_from or raw, "java"),
    )


def test_each_cause_is_found_and_nothing_is_explained_away(tmp_path):
    blank = "public int twice(int a) { int b = a + a;return b; }"
    rows = [
        row(REFERENCE),
        row(blank, name="2"),
        row("x9 " + REFERENCE, archived_from=REFERENCE.replace("log(b)", "log(b, 1)"), name="3"),
        row("2001-01-01 " + blank, archived_from=blank, name="4"),
    ]
    found = explain(rows, seeds=range(1), placements=300, processes=1)
    assert [e.cause for e in found] == [EQUAL, BLANKS, UNEXPLAINED, BEGINNING]
    assert (
        found[1].moved_blanks == "1 3"
        and found[1].explained == found[1].archived != found[1].recomputed
    )
    assert found[2].explained is None
    path = tmp_path / "explained.csv"
    write_explanations(path, found)
    lines = path.read_text().splitlines()
    assert (
        lines[0].split(",")[:5] == ["run", "instance_id", "archived", "recomputed", "cause"]
        and len(lines) == 5
    )


def test_the_table_reads_back(tmp_path):
    path = tmp_path / "explained.csv"
    write_explanations(path, [Explanation("run", "1", 0.5, None, UNEXPLAINED)])
    assert read_records(path, Explanation) == [Explanation("run", "1", 0.5, None, UNEXPLAINED)]
