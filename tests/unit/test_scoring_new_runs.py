"""Scoring anyone's predictions: nothing is overwritten, nothing is steered by an id or by the text
that is measured, and one tool's trouble is that tool's alone.
"""

import json
from dataclasses import replace

import pandas as pd
import pytest
from mtpeft.catalog import catalog
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.provenance import sha256
from mtpeft.core.records import read_scores
from mtpeft.scoring import engine, new, switches
from mtpeft.scoring.interface import Item
from mtpeft.scoring.merge import OtherScores, add_runs, runs_of
from mtpeft.scoring.tools.lizard import LizardScorer
from mtpeft.scoring.wrapping import file_of, holds_nothing

KNOWN = "62b438a266fea644fe22cc2d"


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setattr("mtpeft.core.paths.CACHE", tmp_path / "cache")
    monkeypatch.setattr("mtpeft.core.paths.REGENERATED", tmp_path / "out")


def predictions(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    default = {
        "run": "me/a",
        "task": "code-search-cosqa",
        "instance_id": "i",
        "prompt_sha256": "",
        "raw_output": "",
        "output": "",
        "finish_reason": "stop",
        "seconds": 0,
    }
    path.write_text("".join(json.dumps(default | r) + "\n" for r in records), encoding="utf-8")
    return path


def python(output, task="generation-python", name=KNOWN, **more):
    return {"task": task, "instance_id": name, "output": output, **more}


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("language", ["java", "python"])
@pytest.mark.parametrize(
    "name", ["{folder}/victim", "../../victim", "sitecustomize", "a\\b", "", "."]
)
def test_an_instance_id_never_becomes_a_path(tmp_path, language, name):
    victim = tmp_path / "victim.py"
    victim.write_text("keep = 1\n")
    item = Item("r", "t", name.format(folder=tmp_path), language, "print(1)")
    assert file_of(item).name == {"java": "Output", "python": "output"}[language]
    for tool in ("pylint", "lizard"):
        if language == "python":
            list(engine.load(tool).score([item]))
    assert victim.read_text() == "keep = 1\n"


def test_a_name_that_is_no_files_name_is_refused_even_from_the_program_itself():
    with pytest.raises(MtpeftError, match="letters, digits"):
        file_of(Item("r", "t", "i", "python", "x = 1\n", unit="../x"))


def test_a_class_in_the_answer_names_the_file_and_cannot_leave_the_folder():
    source = file_of(Item("r", "t", "i", "java", "package a.b;\npublic class Sum {}"))
    assert (source.package, source.name) == (("a", "b"), "Sum")
    for package in ("a/../b", "..", 'a."/tmp"', "/etc", ".".join("abcdefghijklm")):
        text = f"package {package};\npublic class Sum {{}}"
        assert file_of(Item("r", "t", "i", "java", text)).package == ()
    assert file_of(Item("r", "t", "i", "java", "public class Ä/../x {}")).name == "Output"


@pytest.mark.parametrize(
    ("code", "name", "package"),
    [
        ("public class Größe { int f() { return 1; } }", "Größe", ()),
        ("public class $T { int f() { return 1; } }", "$T", ()),
        ("package größe.a;\nclass T { }", "T", ("größe", "a")),
        ('@A(b = @B(c = (1 + 2), d = {"}"}))\nclass T { int f() { return 1; } }', "T", ()),
        ("@A @ B(1) public @C(@D) final class T<X> { }", "T", ()),
        (f"public class {'ä' * 200} {{ }}", "Output", ()),
    ],
)
def test_a_java_file_is_named_as_its_class_whatever_its_script_and_annotations(code, name, package):
    source = file_of(Item("r", "t", "i", "java", code))
    assert (source.name, source.package, source.text) == (name, package, code)


@pytest.mark.parametrize(
    ("code", "whole"),
    [
        ("using System;\n\nConsole.WriteLine(F(1));\n\nstatic int F(int x) => x;", True),
        ("int s = 0;\nforeach (var x in xs) { s += x; }", True),
        ("Console.WriteLine(new T());\n\nclass T { }", True),
        ("static int F(int x) => x;", False),
        ("public int F(int x) { return x; }", False),
        ("Console.WriteLine(F(1);", False),
    ],
)
def test_a_csharp_program_of_statements_stands_as_it_is(code, whole):
    assert (file_of(Item("r", "t", "i", "csharp", code)).text == code) == whole


@pytest.mark.parametrize(
    ("language", "code", "hollow"),
    [
        ("java", "// nothing to do", True),
        ("java", "package a;\nimport java.util.List;\n;\n/* no */", True),
        ("csharp", "using System;\n// no", True),
        ("python", "# no\n", True),
        ("python", '"""No."""\n', True),
        ("python", "import os\n", False),
        ("python", "# no (\nx = (", False),
        ("java", "int x;", False),
        ("java", "garbage", False),
        ("csharp", "enum E { A }", False),
    ],
)
def test_an_output_of_comments_alone_is_no_clean_code(language, code, hollow, tmp_path):
    tool = {"python": "pylint", "java": "sonar-metrics", "csharp": "roslyn_4.8.0"}[language]
    item = Item("r", "t", "i", language, code)
    assert holds_nothing(item) == hollow
    if hollow and language != "csharp":
        (outcome,) = engine.score(tool, [item], tmp_path, scorer=engine.load(tool))
        assert {cell[:2] for cell in outcome.cells.values()} == {(None, "empty")}


@pytest.mark.parametrize("name", [KNOWN, "random", "translation_7", "a b"])
def test_pylints_counts_do_not_depend_on_the_instance_id(name):
    code = '"""Doc."""\nimport random\n\n\ndef pick(items):\n    """Doc."""\n    return random.choice(items)\n'
    item = Item("r", "t", name, "python", code)
    assert [s.value for s in engine.load("pylint").score([item])] == [0, 0, 0, 0]


# ---------------------------------------------------------------- Java files


@pytest.mark.parametrize(
    ("answer", "name", "text"),
    [
        ("int f() { return 1; }", "Output", None),
        (
            "import java.util.List;\n\npublic int f(List<Integer> l) { return l.size(); }",
            "Output",
            (
                "import java.util.List;\nimport java.util.*;\n\npublic class Output {\n"
                "    public int f(List<Integer> l) { return l.size(); }\n}"
            ),
        ),
        (
            "package a.b;\nimport java.util.*;\npublic class Sum { int f() { return 1; } }",
            "Sum",
            "",
        ),
        ("record Point(int x, int y) {}\nclass Use { Point p; }", "Point", ""),
        ("@A(x = {1, 2})\nenum E { P, Q; void f() {} }", "E", ""),
        ('// class Sum {}\nint f() { String s = "class Sum {"; return 1; }', "Output", None),
        ("class Helper {}\nint f() { return 1; }", "Output", None),
        ("void record(int x) { }", "Output", None),
    ],
)
def test_a_java_answer_is_shown_as_the_file_that_it_is(answer, name, text):
    source = file_of(Item("r", "t", "i", "java", answer))
    wrapped = f"import java.util.*;\n\npublic class Output {{\n    {answer}\n}}"
    assert source.name == name
    assert source.text == (wrapped if text is None else text or answer)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("public int F() => a ?? b;", "public class Output\n{\n{}\n}"),
        ("[A(1)]\npublic int P { get; set; } = 3;", "public class Output\n{\n{}\n}"),
        (
            "using System;\n\nint F() { return 1; }",
            "using System;\npublic class Output\n{\nint F() { return 1; }\n}",
        ),
        ("[A]\npublic sealed record R(int X);", "{}"),
        ("using System;\nnamespace N;\nclass A { }", "{}"),
        ("namespace N { class A { } }", "{}"),
        ("public delegate int F(int x);\nenum E { A }", "{}"),
        ("class A { }\nint F() { return 1; }", "public class Output\n{\n{}\n}"),
    ],
)
def test_a_csharp_answer_is_shown_as_the_file_that_it_is(answer, text):
    assert file_of(Item("r", "t", "i", "csharp", answer)).text == text.replace("{}", answer)


def test_an_archived_output_is_wrapped_as_the_study_did_it_whatever_it_holds():
    answer = "import java.util.List; // NOPMD\nclass A {}"
    frame = ("import java.util.*;\n\npublic class {unit} {\n    ", "\n}")
    item = Item("r", "t", "translation_1", "java", answer, unit="Translation1", frame=frame)
    assert file_of(item).text == (
        f"import java.util.*;\n\npublic class Translation1 {{\n    {answer}\n}}"
    )


# ---------------------------------------------------------------- switches


@pytest.mark.parametrize(
    ("language", "code", "number"),
    [
        ("python", "# pylint: skip-file\nimport os  # noqa\n", 2),
        ("python", "s = '# pylint: skip-file'\nu = 'noqa'\n", 0),
        ("python", "def f(:  # noqa: E999\n", 1),
        ("java", "int f() { return 1; } // NOPMD\n/* CHECKSTYLE:OFF */\n// NOSONAR", 3),
        ("java", '@SuppressWarnings("PMD") int f() { String s = "// NOPMD"; return 1; }', 1),
        ("csharp", "#pragma warning disable CS0168\nint f() => 1; // NOSONAR", 2),
        ("java", "// #lizard forgives\n// GENERATED CODE\nint f() { return 1; }", 2),
    ],
)
def test_switches_are_counted_and_made_inert_sign_for_sign(language, code, number):
    assert switches.count(code, language) == number
    inert = switches.defused(code, language)
    assert len(inert) == len(code) and inert.count("\n") == code.count("\n")
    suppressions = inert.count("@Suppress") + inert.count("#pragma")
    assert switches.count(inert, language) == suppressions
    if number == 0:
        assert inert == code


@pytest.mark.parametrize(
    ("language", "code"),
    [
        *(
            ("python", f"x = 1  # {sign}\n")
            for sign in (
                *("type: ignore", "type:ignore[attr]", "mypy: ignore-errors", "pyright: ignore"),
                *(
                    "pyre-ignore",
                    "pytype: disable=x",
                    "nosec",
                    "nosec B101",
                    "nopep8",
                    "@generated",
                ),
            )
        ),
        *(
            ("java", f"{sign}\nint f() {{ return 1; }}")
            for sign in (
                *("// CHECKSTYLE.OFF: LineLength", "// CHECKSTYLE.SUPPRESS: X", "// CSOFF: X"),
                *("// CPD-OFF", "//noinspection unused", "/** @generated */", '@Generated("x")'),
                *('@SuppressFBWarnings("X")', '@java.lang.SuppressWarnings("all")'),
            )
        ),
        *(
            ("csharp", f"{sign}\nint f() => 1;")
            for sign in (
                *(
                    "// <auto-generated/>",
                    "// ReSharper disable All",
                    "#nullable disable",
                    "#if false",
                ),
                *('[SuppressMessage("a", "b")]', '[assembly: SuppressMessageAttribute("a", "b")]'),
                *(
                    '[Obsolete, GeneratedCode("a", "1")]',
                    "[System.Runtime.CompilerServices.CompilerGenerated]",
                ),
            )
        ),
    ],
)
def test_every_tools_switches_are_counted(language, code):
    assert switches.count(code, language) == 1


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "# this type ignores case, the generated code and uses Checkstyle. Off we go\n"),
        ("java", "// generated by hand\nint f() { return generated; }"),
        (
            "csharp",
            'var s = "[SuppressMessage(]"; int t = a[SuppressMessage]; // #if false is text',
        ),
    ],
)
def test_what_only_reads_like_a_switch_is_none(language, code):
    assert switches.count(code, language) == 0


def test_a_comment_cannot_switch_pylint_off():
    code = "# pylint: skip-file\nimport os\ndef F( x ):\n  l = 1\n  return x\n"
    got = {
        s.metric: s.value
        for s in engine.load("pylint").score([Item("r", "t", "i", "python", code)])
    }
    assert got == {
        "pylint_error": 0,
        "pylint_warning": 4,
        "pylint_convention": 3,
        "pylint_refactor": 0,
    }


def test_a_comment_cannot_hide_a_function_from_lizard():
    code = "# GENERATED CODE\ndef f(x):\n    return x\n"
    scores = engine.load("lizard").score([Item("r", "t", "i", "python", code)])
    assert {s.metric: s.value for s in scores}["lizard_detection_rate"] == 1


def test_flake8_sees_what_noqa_would_hide():
    item = Item("r", "t", "i", "python", "import os  # noqa\n# flake8: noqa\n")
    got = {s.metric: s.value for s in engine.load("flake8").score([item])}
    assert got["flake8_pyflakes"] == 1


@pytest.mark.parametrize("name", ["rot13", "hex", "zlib"])
def test_an_encoding_that_is_none_of_text_is_the_answers_fault_and_no_crash(name):
    items = [
        Item("r", "t", str(n), "python", f"# coding: {coding}\nimport os\n")
        for n, coding in enumerate([name, "latin-1"])
    ]
    bad, good = [list(engine.load("flake8").score([item])) for item in items]
    assert {s.status for s in bad} == {"unparseable"}
    assert {s.metric: s.value for s in good}["flake8_pyflakes"] == 1


# ---------------------------------------------------------------- never a zero


def test_a_crash_of_pylint_is_no_clean_score(capfd):
    code = "x = " + " + ".join(["a"] * 200) + "\n"
    got = list(engine.load("pylint").score([Item("r", "t", "i", "python", code)]))
    assert {(s.value, s.status) for s in got} == {(None, "infrastructure")}
    assert capfd.readouterr() == ("", "")  # not the pages that Pylint prints for its developers


@pytest.mark.parametrize("tool", ["pylint", "flake8", "sonar-metrics"])
def test_an_empty_output_is_never_a_perfect_score(tool, tmp_path):
    item = Item("r", "t", "i", "python", " \n")
    (outcome,) = engine.score(tool, [item], tmp_path, scorer=engine.load(tool))
    assert {(value, status) for value, status, _ in outcome.cells.values()} == {(None, "empty")}


class Fragile:
    """Fails on a whole batch that holds one of its bad outputs."""

    tool, metrics, batch = "fragile", ("m",), 1000

    def __init__(self, bad):
        self.bad, self.calls = bad, 0

    def version(self):
        return "1"

    def score(self, items):
        from mtpeft.scoring.emit import measured

        self.calls += 1
        if self.bad & {i.instance_id for i in items}:
            raise RuntimeError("crash")
        for item in items:
            yield from measured("fragile", "1", item, {"m": 1})


@pytest.mark.parametrize("number", [1, 5, 15, 60])
def test_outputs_on_which_a_tool_crashes_cost_no_neighbour(tmp_path, number):
    bad = {str(n * 61 % 1000) for n in range(number)}
    items = [Item("r", "t", str(n), "python", f"x = {n}") for n in range(1000)]
    got = engine.score("fragile", items, tmp_path, scorer=Fragile(bad))
    lost = {i.instance_id for i, o in zip(items, got, strict=True) if o.status != "ok"}
    assert lost == bad


# ---------------------------------------------------------------- one folder, several runs


def test_scores_of_two_runs_in_one_folder_are_both_there(tmp_path):
    code = "def f():\n    return 1\n"
    for run in ("me/a", "me/b"):
        path = predictions(tmp_path / run / "generation-python.jsonl", python(code, run=run))
        assert new.run(path, ["lizard"]) == 0
    table = read_scores(
        tmp_path / "out/scored/generation-python/scores/lizard/generation-python.csv"
    )
    assert list(table["run"]) == ["me/a", "me/b"]


def test_a_run_of_the_same_name_from_another_file_is_refused_and_its_scores_stay(tmp_path):
    first = predictions(tmp_path / "seed-0/x.jsonl", python("def f():\n    return 1\n"))
    second = predictions(
        tmp_path / "seed-1/x.jsonl", python("def f():\n    return 2 if 1 else 3\n")
    )
    new.run(first, ["lizard"], tmp_path / "t")
    table = tmp_path / "t/scores/lizard/generation-python.csv"
    before = table.read_bytes()
    with pytest.raises(OtherScores, match="already has scores of me/a"):
        new.run(second, ["lizard"], tmp_path / "t")
    assert table.read_bytes() == before
    assert new.run(first, ["lizard"], tmp_path / "t") == 0, "the same file again"
    assert new.run(second, ["lizard"], tmp_path / "t", replace=True) == 0
    assert table.read_bytes() != before


def test_rows_are_numbered_by_their_place_in_the_file(tmp_path):
    records = [
        python("a\0b", task="code-search-cosqa", name="z"),
        python("1", task="code-search-cosqa", name="y"),
        python("2", task="code-search-cosqa", name="x"),
    ]
    path = predictions(tmp_path / "p.jsonl", *records)
    assert new.run(path, ["ranks"], tmp_path / "t") == 2
    table = read_scores(tmp_path / "t/scores/ranks/code-search-cosqa.csv")
    assert dict(zip(table["instance_id"], table["row"], strict=True)) == {"z": 1, "y": 2, "x": 3}


def test_an_inference_that_failed_is_no_fault_of_the_answer(tmp_path):
    path = predictions(
        tmp_path / "p.jsonl",
        python("", task="code-search-cosqa", name="a", error="out of memory"),
        python("1", task="code-search-cosqa", name="b"),
    )
    new.run(path, ["ranks"], tmp_path / "t")
    table = read_scores(tmp_path / "t/scores/ranks/code-search-cosqa.csv")
    assert dict(zip(table["instance_id"], table["status"], strict=True)) == {
        "a": "infrastructure",
        "b": "ok",
    }


def test_two_tables_of_one_tool_with_other_metrics_are_not_merged(tmp_path):
    def table(metric):
        return pd.DataFrame(
            [["r", 1, "i", "ok", 1.0]], columns=["run", "row", "instance_id", "status", metric]
        )

    add_runs(tmp_path, "t", "e", table("a"), source="one", version="1")
    with pytest.raises(OtherScores, match="has the columns a"):
        add_runs(tmp_path, "t", "e", table("b"), source="one", version="1")


# ---------------------------------------------------------------- each tool for itself


def test_by_default_a_set_meets_only_the_tools_that_read_its_answers(tmp_path, capsys):
    path = predictions(
        tmp_path / "p.jsonl",
        *[
            {
                "run": "r",
                "task": "flaky-detection-flakeflagger",
                "instance_id": f"m{i}",
                "output": i,
            }
            for i in "01"
        ],
    )
    new.run(path, out=tmp_path / "t")
    assert {p.name for p in (tmp_path / "t/scores").iterdir()} == {"classes"}
    assert "nothing in" in capsys.readouterr().err


def test_a_tool_that_reads_nothing_of_a_file_is_not_asked_its_version(tmp_path, monkeypatch):
    """That of the text metrics loads WordNet and an embedding model: far more than the scoring."""

    asked = []
    monkeypatch.setattr(LizardScorer, "version", lambda _: asked.append("lizard") or "1")
    label = {"task": "flaky-detection-flakeflagger", "instance_id": "m0", "output": "0"}
    new.run(predictions(tmp_path / "p.jsonl", label), out=tmp_path / "t")
    assert not asked
    new.run(predictions(tmp_path / "q.jsonl", python("x = 1\n")), ["lizard"], tmp_path / "u")
    assert asked


def test_a_missing_tool_is_a_status_of_its_rows_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    def absent(self):
        raise Unavailable("it is not installed")

    monkeypatch.setattr(LizardScorer, "version", absent)
    path = predictions(tmp_path / "p.jsonl", python("def f():\n    return 1\n"))
    assert new.run(path, ["lizard", "flake8"], tmp_path / "t") == 0
    table = read_scores(tmp_path / "t/scores/lizard/generation-python.csv")
    assert list(table["status"]) == ["cannot run here"]
    assert (tmp_path / "t/scores/flake8/generation-python.csv").is_file()
    shown = capsys.readouterr()
    assert "cannot run here: lizard: it is not installed" in shown.err
    assert "me/a  flake8_error  mean 0.0000  n 1 of 1" in shown.out


def test_a_tool_that_breaks_outside_any_output_does_not_end_the_command(tmp_path, monkeypatch):
    def broken(self):
        raise OSError("disk on fire")

    monkeypatch.setattr(LizardScorer, "version", broken)
    path = predictions(tmp_path / "p.jsonl", python("def f():\n    return 1\n"))
    assert new.run(path, ["lizard", "flake8"], tmp_path / "t") == 0
    assert (tmp_path / "t/scores/flake8/generation-python.csv").is_file()


@pytest.mark.parametrize("tool", ["codereval", "checkstyle"])
def test_a_call_that_scored_nothing_ends_with_2(tmp_path, tool, capsys):
    path = predictions(tmp_path / "p.jsonl", python("def f():\n    return 1\n"))
    assert new.run(path, [tool], tmp_path / "t") == 2
    assert "was scored" in capsys.readouterr().err


def test_references_are_not_fetched_for_tools_that_need_none(tmp_path, monkeypatch):
    def fetched(*_):
        raise AssertionError("references were fetched")

    monkeypatch.setattr(new, "instances", fetched)
    path = predictions(tmp_path / "p.jsonl", python("def f():\n    return 1\n"))
    assert new.run(path, ["lizard"], tmp_path / "t") == 0


@pytest.mark.parametrize("name", sorted(catalog().tools))
def test_every_tool_of_the_catalog_loads_or_says_what_it_lacks(name):
    try:
        scorer = engine.load(name)
    except Unavailable as error:
        assert error.found and error.fix
        return
    assert scorer.tool == name
    assert set(scorer.metrics) == {m.id for m in catalog().tools[name].metrics}


def test_what_decides_a_score_is_in_the_key_of_the_cache():
    item = Item("r", "t", "i", "java", "x")
    keys = {engine.key(item), engine.key(replace(item, unit="A"))}
    assert len({*keys, engine.key(replace(item, frame=("", "")))}) == 3


def test_switches_stand_in_a_column_of_their_own(tmp_path):
    path = predictions(tmp_path / "p.jsonl", python("import os  # noqa\n"))
    assert new.run(path, ["switches"], tmp_path / "t") == 0
    table = read_scores(tmp_path / "t/scores/switches/generation-python.csv")
    assert list(table["analyser_switches"]) == [1]


@pytest.mark.parametrize("fate", ["changed", "gone"])
def test_a_file_that_changes_while_it_is_scored_passes_for_what_was_scored(
    tmp_path, monkeypatch, capsys, fate
):
    path = predictions(tmp_path / "p.jsonl", python("x = 1\n"))
    before, score = sha256(path), engine.score

    def meanwhile(*arguments, **options):
        if fate == "gone":
            path.unlink()
        else:
            path.write_text(path.read_text() + "\n")
        return score(*arguments, **options)

    monkeypatch.setattr(engine, "score", meanwhile)
    assert new.run(path, ["lizard"], tmp_path / "o") == 2
    assert "changed while it was scored" in capsys.readouterr().err
    table = tmp_path / "o/scores/lizard/generation-python.csv"
    assert runs_of(table)["me/a"]["source_sha256"] == before
    assert len(read_scores(table)) == 1
