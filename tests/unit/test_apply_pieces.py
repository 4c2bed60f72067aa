"""What `mtpeft apply` needs without a model: functions of files, calibration, thresholds."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.corpora.functions import LARGEST, functions, read_source, whole
from mtpeft.inference import calibration
from mtpeft.inference.apply.pieces import read
from mtpeft.inference.calibration import ece, fitted, sigmoid, temperature, threshold

pytest.importorskip("tree_sitter", reason="the group `score` is not installed (make .venv/.score)")

CODE = {
    "sums.py": '''import os

@cached
def add(a, b=1):
    """Add two numbers.

    Slowly.
    """
    def inner():
        return a
    return inner() + b

class Box:
    async def open(self):
        return 1
''',
    "Sums.java": """package a;
class Sums {
    /**
     * Adds two numbers.
     * @param a one
     */
    @Test
    int add(int a, int b) { return a + b; }
    Sums() { }
    abstract int none();
}
""",
    "Sums.cs": """/// <summary>Adds two numbers.</summary>
/// <returns>Their sum.</returns>
public int Add(int a, int b) => a + b;
class Box { int P { get; set; } int Open() { return 1; } }
""",
}
FOUND = {
    "sums.py": [
        (
            "add",
            3,
            "@cached\ndef add(a, b=1):\n    def inner():\n        return a\n    return inner() + b",
            "def add(a, b=1)",
            "Add two numbers.",
        ),
        (
            "Box.open",
            14,
            "async def open(self):\n    return 1",
            "async def open(self)",
            "",
        ),
    ],
    "Sums.java": [
        (
            "Sums.add",
            7,
            "@Test\nint add(int a, int b) { return a + b; }",
            "@Test int add(int a, int b)",
            "Adds two numbers.",
        ),
        ("Sums.Sums", 9, "Sums() { }", "Sums()", ""),
    ],
    "Sums.cs": [
        (
            "Add",
            3,
            "public int Add(int a, int b) => a + b;",
            "public int Add(int a, int b)",
            "Adds two numbers.",
        ),
        ("Box.Open", 4, "int Open() { return 1; }", "int Open()", ""),
    ],
}


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", CODE)
def test_functions_are_found_with_their_lines_and_without_their_documentation(tmp_path, name):
    found, errors = functions(read_source(write(tmp_path, name, CODE[name])))
    assert [(f.name, f.line, f.code, f.signature, f.doc) for f in found] == FOUND[name]
    assert not errors


def test_a_function_is_named_with_or_without_its_type_and_others_get_near_names(tmp_path):
    source = read_source(write(tmp_path, "sums.py", CODE["sums.py"]))
    for name in ("open", "Box.open"):
        assert [f.name for f in functions(source, [name])[0]] == ["Box.open"]
    given = read([source.path], ["opne"], every=False, language="")
    assert not given.pieces and "did you mean Box.open" in given.errors[0].expected


def test_a_file_with_one_function_is_that_function_and_any_other_is_one_piece(tmp_path):
    alone = write(tmp_path, "a.java", "/** Adds. */\nint add(int a) { return a; }\n")
    assert (whole(read_source(alone)).name, whole(read_source(alone)).doc) == ("add", "Adds.")
    several = whole(read_source(write(tmp_path, "sums.py", CODE["sums.py"])))
    assert several.name == "" and several.code == CODE["sums.py"]


def test_a_broken_function_is_named_by_line_and_its_neighbours_stay(tmp_path):
    text = "class A {\n  int f() { return 1; }\n  int g() { return 1 +; }\n}\n"
    source = read_source(write(tmp_path, "A.java", text))
    found, errors = functions(source)
    assert [f.name for f in found] == ["A.f"]
    assert "A.java:3: function A.g is no java that can be parsed" in str(errors[0])
    with pytest.raises(BadInput, match=r"A.java:3"):
        whole(source)


@pytest.mark.parametrize(
    "name, content, found",
    [
        ("notes.txt", "hello", "suffix .txt is of no known language"),
        ("a.py", b"\x7fELF\0\0", "a binary file"),
        ("a.py", "  \n", "an empty file"),
        ("a.py", b"x = '\xe9'", "byte 0xe9 is not UTF-8"),
        ("a.py", "x" * (LARGEST + 1), "1,000,001 bytes"),
    ],
)
def test_what_is_no_source_file_is_refused_in_three_parts(tmp_path, name, content, found):
    with pytest.raises(BadInput) as caught:
        read_source(write(tmp_path, name, content))
    assert found in caught.value.found and caught.value.expected and caught.value.fix


def test_missing_files_folders_and_languages_are_refused(tmp_path):
    for path, found in ((tmp_path, "a folder"), (tmp_path / "none.py", "no such file")):
        with pytest.raises(BadInput, match=found):
            read_source(path)
    with pytest.raises(UnknownName, match="python"):
        read_source(write(tmp_path, "a", "x"), "pyton")
    with pytest.raises(BadInput, match="cannot be told apart"):
        functions(read_source(write(tmp_path, "a.c", "int f() { return 1; }")))


def test_the_temperature_is_the_factor_by_which_logits_are_too_large():
    # Of four examples with p = 3/4 three are positive, and so on: the logits themselves are right.
    right = np.repeat([math.log(3), -math.log(3), math.log(9), 0.0], [4, 4, 10, 2])
    labels = [1, 1, 1, 0] + [1, 0, 0, 0] + [1] * 9 + [0] + [1, 0]
    for factor in (0.5, 1.0, 2.5):
        assert temperature(factor * right, labels) == pytest.approx(factor, rel=1e-9)
    found = fitted(2.5 * right, labels, 1.0, "own", "")
    assert found.ece_after == pytest.approx(0, abs=1e-9) and found.ece_before > 0.05
    assert found.probabilities(2.5 * right) == pytest.approx(sigmoid(right))


def test_the_weight_of_positives_is_taken_off_the_logits():
    # A loss that counts positives twelve times is least at logits that are log 12 too large.
    right = np.repeat([-math.log(3), math.log(3)], [4, 4])
    labels = [1, 0, 0, 0, 1, 1, 1, 0]
    found = fitted(right + math.log(12), labels, 12.0, "own", "")
    assert found.temperature == pytest.approx(1) and found.ece_after == pytest.approx(0, abs=1e-9)
    assert found.probabilities(right + math.log(12)) == pytest.approx(sigmoid(right))


def test_a_temperature_without_a_maximum_is_the_limit_and_says_so():
    assert temperature([-1.0, 2.0], [0, 1]) == calibration.RANGE[0]
    assert temperature([-1.0, 2.0], [1, 0]) == calibration.RANGE[1]
    assert fitted(np.array([-1.0, 2.0]), [0, 1], 1.0, "own", "").at_limit


def test_the_threshold_is_the_middle_of_the_cut_with_the_largest_f1():
    # Cuts below .9, .8, .6, .4, .2 have F1 2/4, 4/5, 4/6, 6/7, 6/8.
    assert threshold([0.9, 0.8, 0.6, 0.4, 0.2], [1, 1, 0, 1, 0]) == pytest.approx(0.3)
    assert threshold([0.2, 0.9, 0.4, 0.8, 0.6], [0, 1, 1, 1, 0]) == pytest.approx(0.3)
    # Both cuts have F1 2/3: the higher one. No cut parts equal probabilities.
    assert threshold([0.8, 0.6, 0.4, 0.2], [1, 0, 0, 1]) == pytest.approx(0.7)
    assert threshold([0.5, 0.5], [1, 0]) == pytest.approx(0.25)
    assert threshold([0.5, 0.4], [0, 0]) == 0.5


def test_the_calibration_error_is_that_of_a_hand_computed_example():
    # Bins [.2, .267) and [.8, .867): |.2 - 1/2| · 2/4 + |.8 - 1/2| · 2/4.
    assert ece([0.2, 0.2, 0.8, 0.8], [0, 1, 1, 0]) == pytest.approx(0.3)
    assert ece([1.0, 0.0], [1, 0]) == 0


def test_a_damaged_calibration_is_refused_with_the_command_that_makes_it_again(tmp_path):
    from mtpeft.inference.trained import Trained

    write(tmp_path, "heads.safetensors", b"x")
    run = Trained("r", "r", tmp_path, tmp_path, ("t",), True, False, "b", "m", {})
    assert calibration.stored(run) == {}
    for text, found in (("{", "malformed JSON"), ('{"heads_sha256": ""}', "no format")):
        write(tmp_path, "calibration.json", text)
        with pytest.raises(BadInput, match=found) as caught:
            calibration.stored(run)
        assert caught.value.fix == "mtpeft train calibrate r"
    kept = {"format": calibration.FORMAT, "run": "r", "heads_sha256": "", "tasks": {}}
    write(tmp_path, "calibration.json", json.dumps(kept))
    with pytest.raises(MtpeftError, match="of other heads"):
        calibration.stored(run)


def test_a_threshold_stands_beside_the_f1_of_saying_yes_to_everything():
    """16 of 64 are positive: precision 1/4, recall 1, F1 2 · 16 / (64 + 16) = 0.4."""
    found = calibration.Calibration(
        1.15, 0.0, 0.232, 64, 16, 0.2, 0.1, 0.118, 0.421, False, "c", "hash"
    )
    assert "largest F1: 0.421; always yes: 0.400; at 0.5 before: 0.118" in calibration.described(
        found
    )
