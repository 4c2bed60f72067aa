"""One notion of a line in every reader: LF ends it, the last one needs no end, the rest is content."""

import ast
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.files import json_objects, repair_last_line
from mtpeft.core.records import Prediction, append_predictions, read_predictions
from mtpeft.corpora import hub
from mtpeft.corpora.analysis.formats import Rows, clone_files
from mtpeft.corpora.code_to_code import pairs
from mtpeft.corpora.code_to_text import first_paragraph, generation, python_parts
from mtpeft.corpora.examples import Example, examples_text, read_examples
from mtpeft.corpora.manifest import HubDataset
from mtpeft.corpora.pins import pin, pinned
from mtpeft.inference.ranking import read_candidates


def two(tmp_path: Path, java: bytes, csharp: bytes) -> list[tuple[str, str]]:
    (tmp_path / "j").write_bytes(java)
    (tmp_path / "c").write_bytes(csharp)
    return pairs(tmp_path / "j", tmp_path / "c")


def test_the_last_record_counts_without_a_final_line_end(tmp_path):
    examples = [Example(name, "generation", "python", {"prompt": name}) for name in "ab"]
    (tmp_path / "x.jsonl").write_text(examples_text(examples).rstrip("\n"))
    assert read_examples(tmp_path / "x.jsonl") == examples
    assert two(tmp_path, b"a\nb", b"A\nB") == [("a", "A"), ("b", "B")]


def test_a_byte_order_mark_belongs_to_no_line(tmp_path):
    examples = [Example(name, "generation", "python", {"prompt": name}) for name in "ab"]
    text = examples_text(examples)
    (tmp_path / "x.jsonl").write_text(text, encoding="utf-8-sig")
    assert read_examples(tmp_path / "x.jsonl") == examples
    assert two(tmp_path, b"\xef\xbb\xbfa\nb\n", b"A\nB\n") == [("a", "A"), ("b", "B")]
    (tmp_path / "p.jsonl").write_text('{"whole": 1}', encoding="utf-8-sig")
    repair_last_line(tmp_path / "p.jsonl")
    assert [record for _, record in json_objects(tmp_path / "p.jsonl", ())] == [{"whole": 1}]


def test_a_lone_carriage_return_moves_no_side_of_a_parallel_corpus(tmp_path):
    with pytest.raises(BadInput, match="3 lines"):
        two(tmp_path, b"a\rx\nb\n", b"A\nB\rY\nC\n")
    assert two(tmp_path, b"a\rx\nb\n", b"A\nB\n") == [("a\rx", "A"), ("b", "B")]


def test_control_characters_of_a_line_survive(tmp_path):
    odd = "a\x0c\x0b\x1c\x85\u2028b"
    assert two(tmp_path, odd.encode() + b"\n", b"A\r\n") == [(odd, "A")]


def test_what_is_not_utf8_is_named_by_line(tmp_path):
    with pytest.raises(BadInput, match="j:2: byte 0xff"):
        two(tmp_path, b"a\n\xff\n", b"A\nB\n")


def test_every_reader_of_json_lines_keeps_separators_in_texts(tmp_path):
    text = "x\u2028y\x85z\x0c"
    example = Example("a", "code-search", "python", {"query": text, "code": text}, "1")
    path = tmp_path / "x.jsonl"
    path.write_text(examples_text([example]))
    assert read_examples(path) == [example]
    path.write_text(json.dumps({"idx": 1, "func": text}, ensure_ascii=False))
    assert [row["func"] for row in Rows(path, {"idx", "func"})] == [text]
    path.write_text(json.dumps({"instance_id": "a", "candidates": ["a"]}, ensure_ascii=False))
    assert read_candidates(path, [example]) == {"a": ["a"]}


def test_a_pair_of_clones_without_a_final_line_end_counts(tmp_path):
    (tmp_path / "data").write_text('{"idx": 1, "func": "f"}\n{"idx": 2, "func": "g"}')
    (tmp_path / "pairs").write_bytes(b"1\t2\t0\r\n2\t1\t1")
    assert [e.target for e in clone_files(tmp_path / "data", tmp_path / "pairs")] == ["0", "1"]


@pytest.mark.parametrize(
    "line",
    ["[]", "{", '{"id": "a"}', "[" * 100_000, '{"id": 1, "task": "t", "language": "l", "inputs": {}}',
     '{"id": "a", "task": "t", "language": "l", "inputs": []}',
     '{"id": "a", "task": "t", "language": "l", "inputs": {"x": 1}}',
     '{"id": "a", "task": "t", "language": "l", "inputs": {}, "more": ""}'],
)  # fmt: skip
def test_a_line_that_is_no_example_is_refused_by_its_number(tmp_path, line):
    good = examples_text([Example("a", "t", "l", {})])
    (tmp_path / "x").write_text(f"{good}{line}\n")
    with pytest.raises(BadInput, match="x:2: ") as error:
        read_examples(tmp_path / "x")
    assert error.value.expected and error.value.fix


# ---------------------------------------------------------------- functions and their docstrings

BODY = "    y = x\n    return y"


@pytest.mark.parametrize(
    "odd", ["\x0c", "\x0b", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
)
def test_what_only_python_s_strings_take_for_a_line_end_damages_no_function(odd):
    found = python_parts(f'def f(x):\n    """Doc.{odd} more."""\n{BODY}\n')
    assert found == ("def f(x)", f"def f(x):\n{BODY}")


def test_a_carriage_return_ends_a_line_as_the_parser_has_it():
    assert python_parts('def f(x):\r    """Doc."""\r    return x\r\n') == (
        "def f(x)",
        "def f(x):\n    return x",
    )


def test_blanks_at_line_ends_inside_strings_are_kept_and_others_are_not():
    code = 'def f(x):\n    """Doc."""\n    a = """1  \n   \n2 """   \n    return a  \n'
    assert python_parts(code) == (
        "def f(x)",
        'def f(x):\n    a = """1  \n   \n2 """\n    return a',
    )


def test_a_function_whose_rest_would_be_another_program_is_left_out_and_counted(capsys):
    good = {"docstring": "Return the same value.", "code": f'def f(x):\n    """D."""\n{BODY}'}
    bad = {
        "docstring": "Return the same value.",
        "code": 'def g(x):\n    """D."""; y = x\n    return y',
    }
    made = list(generation([good, bad, good], "python", "train"))
    assert [e.id for e in made] == ["python-train-0"]
    said = capsys.readouterr().err
    assert "1 with no function that can be taken apart" in said
    assert "1 with code that an earlier row has" in said


def test_whatever_comes_out_is_the_function_without_its_docstring():
    code = (
        "@a\nasync def f(x, *, y='\\n'):\n    r'''Doc\n\n    more\x0c'''\n"
        "    z = f'''{x}  \n {y}'''\n\n    def g():\n        '''kept'''\n        return z\n    return g\n"
    )
    parts = python_parts(code)
    assert parts is not None
    whole, made = ast.parse(code).body[0], ast.parse(parts[1]).body[0]
    assert isinstance(whole, ast.AsyncFunctionDef)
    whole.body = whole.body[1:]
    assert ast.dump(made) == ast.dump(whole)


@pytest.mark.parametrize(
    ("docstring", "paragraph"),
    [
        ("Parameters are checked first.\nThen sent.", "Parameters are checked first. Then sent."),
        ("Adds.\nParameters\n----------\nx: int", "Adds."),
        ("Parameters\n==========\nx", "x"),
        ("Adds two.\nArgs:\n  x: one", "Adds two."),
        ("Adds two.\nReturns: the sum", "Adds two."),
        ("Adds two.\n:param x: one", "Adds two."),
        ("Adds\n  two.\n\nMore.", "Adds two."),
        ("Returns the\x0csum.\nOf all.", "Returns the sum. Of all."),
        ("@deprecated\nAdds.", "Adds."),
        ("Sizes are - and -- long.\nYes.", "Sizes are - and -- long. Yes."),
    ],
)
def test_a_heading_is_known_by_its_form(docstring, paragraph):
    assert first_paragraph(docstring) == paragraph


# ---------------------------------------------------------------- pins and mirrors


def test_no_pin_is_lost_when_two_processes_pin_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    code = "import sys; from mtpeft.corpora.pins import pin\n" \
        "for i in range(40): pin(f'p{sys.argv[1]}-{i}', 'x')"  # fmt: skip
    environment = {"MTPEFT_CACHE": str(tmp_path), "PYTHONPATH": str(paths.ROOT / "code")}
    with ThreadPoolExecutor(2) as pool:
        ends = pool.map(
            lambda k: subprocess.run([sys.executable, "-c", code, k], env=environment).returncode,
            "01",
        )
    assert list(ends) == [0, 0] and len(json.loads((tmp_path / "pins.json").read_text())) == 80


def test_another_value_is_refused_and_a_damaged_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    pin("a", "1")
    with pytest.raises(MtpeftError, match="a is now 2"):
        pin("a", "2")
    assert pinned("a") == "1" and pinned("b") == ""
    (tmp_path / "pins.json").write_text('{"a": ')
    for use in (lambda: pinned("a"), lambda: pin("a", "1")):
        with pytest.raises(BadInput, match="pins.json: malformed JSON"):
            use()


def test_of_several_revisions_in_a_mirror_none_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("MTPEFT_MIRROR", str(tmp_path / "mirror"))
    entry = HubDataset("x/y", "g", "owner/name", "default", "", {}, "MIT", "a test")
    revisions = ["1" * 40, "f" * 40]
    for revision in revisions:
        (tmp_path / "mirror" / "owner" / "name" / revision / "default").mkdir(parents=True)
    with pytest.raises(MtpeftError, match="2 revisions") as error:
        hub._mirrored(entry)
    assert all(revision in error.value.found for revision in revisions)
    assert not (tmp_path / "cache" / "pins.json").exists()
    pin("owner/name", revisions[0])
    assert hub._mirrored(entry) == tmp_path / "mirror" / "owner" / "name" / revisions[0]


@pytest.mark.parametrize("name", ["", " ", "a\0", "a\nb", "a\u2028b", "a\x85", "\ud800"])
def test_an_id_that_no_prediction_could_have_is_refused_before_anything_is_computed(name, tmp_path):
    record = {"id": name, "task": "generation", "language": "python", "inputs": {"prompt": "x"}}
    (tmp_path / "x.jsonl").write_text(
        json.dumps({**record, "id": "fine"}) + "\n" + json.dumps(record)
    )
    with pytest.raises(BadInput, match=r"x\.jsonl:2: id .* holds what no name does"):
        read_examples(tmp_path / "x.jsonl")


def test_two_examples_with_one_id_are_refused_unless_their_task_or_language_differs(tmp_path):
    one = Example("a", "translation", "java", {"code": "x"}, source_language="csharp")
    other = Example("a", "translation", "csharp", {"code": "x"}, source_language="java")
    path = tmp_path / "x.jsonl"
    path.write_text(
        examples_text([one, other, Example("a", "generation", "java", {"prompt": "x"})])
    )
    assert len(read_examples(path)) == 3
    path.write_text(examples_text([one, other, one]))
    with pytest.raises(
        BadInput, match=r"x\.jsonl:3: id 'a' of translation again \(first on line 1\)"
    ):
        read_examples(path)


def test_half_a_surrogate_pair_in_an_example_is_named_by_line(tmp_path):
    record = {"id": "a", "task": "generation", "language": "python", "inputs": {"prompt": "\ud800"}}
    (tmp_path / "x.jsonl").write_text(json.dumps(record))
    with pytest.raises(BadInput, match=r"x\.jsonl:1: a lone surrogate"):
        read_examples(tmp_path / "x.jsonl")


@pytest.mark.parametrize("seconds", ["NaN", "Infinity", "-1", "1e999", "9" * 400])
def test_a_time_that_is_none_is_named_by_line(seconds, tmp_path):
    made = Prediction("r", "generation-python", "a", "0" * 64, "x", "x", "stop", 0.25)
    append_predictions(tmp_path / "p.jsonl", [made])
    text = (tmp_path / "p.jsonl").read_text().replace("0.25", seconds)
    (tmp_path / "p.jsonl").write_text(text)
    (problem,) = read_predictions(tmp_path / "p.jsonl")
    assert isinstance(problem, BadInput) and "is no time" in str(problem)


def test_a_prediction_with_two_outputs_is_refused_by_its_number(tmp_path):
    path = tmp_path / "generation-python.jsonl"
    made = Prediction("r", "generation-python", "a", "0" * 64, "x", "x", "stop", 0.25)
    append_predictions(path, [made])
    twice = path.read_text(encoding="utf-8").replace('"a"', '"b"').replace("{", '{"output": "y", ')
    path.write_text(path.read_text(encoding="utf-8") + twice)
    good, bad = read_predictions(path)
    assert good == made and "the key 'output' twice" in str(bad) and ":2:" in str(bad)
