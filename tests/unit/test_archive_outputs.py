"""Reading the study's printed statistics: every form of line is known, everything else is refused
by line.
"""

import pytest
from mtpeft.archive.outputs import expected_values, read_output, read_outputs
from mtpeft.core.errors import BadInput
from upstream import COUNTING, OUTPUT_TEXTS, OUTPUTS, PASSING, write_upstream


@pytest.fixture
def read(tmp_path, small):
    """Read one synthetic output, after an edit: read("counting_RAW.txt", ("old", "new"))."""
    owners = {o.file: (c, o) for c in small.comparisons.values() for o in c.outputs}

    def one(name, *edits):
        text = OUTPUT_TEXTS[name]
        for old, new in edits:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return read_output(tmp_path / name, *owners[name], small)

    return one


def values(cells, **place):
    return {
        c.quantity: c.printed for c in cells if all(getattr(c, k) == v for k, v in place.items())
    }


# ---------------------------------------------------------------- what is read


def test_a_table_of_adjusted_values(read):
    cells = read("counting_CLEAN.txt")
    assert values(cells, block="0.5b", metric="lines") == {
        "p_adjusted": "0.0012",
        "cliffs_delta": "-0.1500",
        "significant": "Yes",
    }
    assert values(cells, block="3b", metric="depth") == {
        "p_adjusted": "NA",
        "cliffs_delta": "-0.0000",
        "significant": "NA",
    }
    assert values(cells, metric="") == {
        "correction_label": "Holm-Bonferroni",
        "input_note": "Counter CG+CT comparison uses file: other.csv",
    }


def test_console_output_of_effects_and_vectors(read):
    cells = read("counting_RAW.txt")
    assert values(cells, block="3b", metric="lines") == {
        "cliffs_delta": "-0.15",
        "magnitude": "small",
        "ci_low": "-2.00000e-01",
        "ci_high": "1.25000e-03",
        "p_adjusted": "1.200000e-03",
    }
    assert values(cells, block="0.5b", metric="depth")["p_adjusted"] == "NaN"
    assert [c.printed for c in cells if c.quantity == "correction_label"] == ["holm"]


@pytest.mark.parametrize("name", ["pairs_CLEAN.txt", "pairs_RAW.txt"])
def test_blocks_named_by_task_pair(read, name):
    assert {c.block for c in read(name) if c.metric} == {"CG+CS", "CG+CT"}


@pytest.mark.parametrize(
    "name, blocks",
    [
        ("passing_CLEAN.txt", {"python-3b", "java-3b"}),
        ("passing_RAW.txt", {"python-3b", "java-3b"}),
        ("lines_RAW.txt", {"python-3b", "java-3b"}),
        ("passing_pairs_CLEAN.txt", {"python-CG+CS", "java-CG+CS"}),
        ("passing_pairs_RAW.txt", {"python-CG+CS", "java-CG+CS"}),
    ],
)
def test_every_layout_of_discordant_counts(read, name, blocks):
    cells = read(name)
    assert {c.block for c in cells if c.metric} == blocks
    for block in blocks:
        wanted = {
            "p": "0.500000",
            "p_adjusted": "1.000000",
            "odds_ratio": "1.2500",
            "a_only": "12",
            "b_only": "9",
        }
        if name.endswith("RAW.txt"):
            wanted |= {"both_pass": "20", "both_fail": "100"}
        assert values(cells, block=block) == wanted


def test_a_cell_remembers_its_line(read):
    for cell in read("counting_CLEAN.txt"):
        assert cell.printed in OUTPUT_TEXTS["counting_CLEAN.txt"].splitlines()[cell.line - 1]


def test_ids_of_cells_are_unique(tmp_path, small):
    cells, files = read_outputs(write_upstream(tmp_path) / OUTPUTS, small)
    assert len({c.id for c in cells}) == len(cells) == sum(n for _, n in files)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "name, edit, found",
    [
        ("counting_CLEAN.txt", ("Cnt_LoC ", "Cnt_Lok "), "Cnt_Lok"),
        ("counting_CLEAN.txt", ("0.0012 ", "0,0012 "), "0,0012"),
        ("counting_CLEAN.txt", ("  Yes", "  Maybe"), "Maybe"),
        ("counting_CLEAN.txt", ("QWEN 0.5B:", "QWEN 7B:"), "7B"),
        (
            "counting_CLEAN.txt",
            ("RQ9: a title", "A remark that nobody expected\nRQ9: a title"),
            "A remark",
        ),
        ("counting_RAW.txt", ('"LoC -', '"Loc -'), "Loc"),
        ("counting_RAW.txt", ("delta estimate: -0.15", "delta estimate: minus"), "minus"),
        ("counting_RAW.txt", ("-2.00000e-01  1.25000e-03 ", "-2.00000e-01 "), "-2.00000e-01"),
        ("counting_RAW.txt", ("1 1.200000e-03", "3 1.200000e-03"), "3 1.2"),
        ("counting_RAW.txt", ("Qwen 0.5B Results", "Qwen 9B Results"), "9B"),
        ("passing_RAW.txt", ("A_only= 12", "A_only= twelve"), "twelve"),
        ("passing_RAW.txt", ("Comparison: Python", "Comparison: Rust"), "Rust"),
        ("lines_RAW.txt", ("Qwen 3B:", "Qwen 5B:"), "5B"),
        ("passing_CLEAN.txt", ("0.500000  1.000000", "0.500000"), "0.500000"),
        ("passing_pairs_CLEAN.txt", ("vs CG+CS", "vs XX+YY"), "XX"),
    ],
)
def test_a_line_outside_the_grammar_is_named(read, name, edit, found):
    with pytest.raises(BadInput) as error:
        read(name, edit)
    assert error.value.path.name == name
    assert error.value.line is not None
    assert found in str(error.value)


def test_a_value_printed_twice_is_refused(read):
    row = "Cnt_LoC               0.0012      -0.1500          Yes"
    with pytest.raises(BadInput, match="again"):
        read("counting_CLEAN.txt", (row, f"{row}\n{row}"))


@pytest.mark.parametrize("name", sorted(OUTPUT_TEXTS))
def test_a_truncated_output_is_refused_wherever_it_is_cut(tmp_path, small, name):
    owners = {o.file: (c, o) for c in small.comparisons.values() for o in c.outputs}
    lines = OUTPUT_TEXTS[name].splitlines(keepends=True)
    carrying = [c.line for c in _cells(tmp_path, small, name, owners) if c.metric]
    for keep in range(max(carrying)):
        (tmp_path / name).write_text("".join(lines[:keep]))
        with pytest.raises(BadInput, match="truncated|two bounds"):
            read_output(tmp_path / name, *owners[name], small)


def _cells(folder, small, name, owners):
    (folder / name).write_text(OUTPUT_TEXTS[name])
    return read_output(folder / name, *owners[name], small)


def test_an_output_that_is_not_utf8_is_refused(tmp_path, small):
    path = tmp_path / "counting_CLEAN.txt"
    path.write_bytes(b"\xff\n")
    with pytest.raises(BadInput, match="not UTF-8"):
        read_output(path, COUNTING, COUNTING.outputs[0], small)


@pytest.mark.parametrize("damage, found", [("remove", "missing"), ("add", "no comparison")])
def test_a_missing_or_extra_output_is_refused(tmp_path, small, damage, found):
    folder = write_upstream(tmp_path) / OUTPUTS
    if damage == "remove":
        (folder / "pairs_RAW.txt").unlink()
    else:
        (folder / "rq4.txt").write_text("x\n")
    with pytest.raises(BadInput, match=found):
        read_outputs(folder, small)


def test_a_whole_output_has_a_known_number_of_values():
    assert expected_values(COUNTING, COUNTING.outputs[0]) == {
        "p_adjusted": 4,
        "cliffs_delta": 4,
        "significant": 4,
    }
    assert sum(expected_values(COUNTING, COUNTING.outputs[1]).values()) == 20
    assert sum(expected_values(PASSING, PASSING.outputs[0]).values()) == 10
    assert sum(expected_values(PASSING, PASSING.outputs[1]).values()) == 14
