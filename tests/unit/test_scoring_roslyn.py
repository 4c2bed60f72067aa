"""Roslyn's diagnostics: the study's rule by id, the correct one by severity, and the program's
form.

No .NET SDK was at hand when this was written: the sample is written by hand after the ids and
severities that Roslyn documents (CS1002 `; expected`, CS1513 `} expected`, CS0106 invalid modifier,
CS1030 #warning), not recorded.
"""

import json
import shutil
from xml.etree import ElementTree

import pytest
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.scoring import engine
from mtpeft.scoring.tools.roslyn import PROJECT, Diagnostic, count, parse_results

SAMPLE = (
    "\n".join(
        json.dumps(x)
        for x in [
            {"key": "0", "diagnostics": []},
            {
                "key": "1",
                "diagnostics": [
                    {"id": "CS1002", "severity": "Error", "line": 1, "message": "; expected"},
                    {"id": "CS1513", "severity": "Error", "line": 4, "message": "} expected"},
                ],
            },
            {
                "key": "2",
                "diagnostics": [
                    {
                        "id": "CS0106",
                        "severity": "Error",
                        "line": 1,
                        "message": "The modifier is not valid",
                    },
                    {"id": "CS1030", "severity": "Warning", "line": 2, "message": "#warning: 'x'"},
                ],
            },
        ]
    )
    + "\n"
)


def test_the_studys_rule_takes_real_syntax_errors_for_maintainability():
    found = parse_results(SAMPLE)
    assert [count(found[k], published=True) for k in "012"] == [(0, 0), (0, 2), (1, 1)]


def test_the_correct_rule_goes_by_severity():
    found = parse_results(SAMPLE)
    assert [count(found[k], published=False) for k in "012"] == [(0, 0), (2, 0), (1, 1)]


def test_a_message_shows_line_id_and_severity():
    assert str(Diagnostic("CS1002", "Error", 3, "; expected")) == "3: CS1002 ; expected (error)"


@pytest.mark.parametrize(
    "bad", ["{", "[]", '{"key": "0"}', '{"key": "0", "diagnostics": [{"id": "CS1"}]}']
)
def test_an_unreadable_answer_names_its_line(bad):
    with pytest.raises(MtpeftError, match="line 2 of Roslyn's answer"):
        parse_results('{"key": "9", "diagnostics": []}\n' + bad + "\n")


def test_an_answer_given_twice_is_refused():
    with pytest.raises(MtpeftError, match="key 0 again"):
        parse_results('{"key": "0", "diagnostics": []}\n' * 2)


@pytest.mark.parametrize("tool", ["roslyn", "roslyn-corrected"])
def test_without_dotnet_the_tool_is_unavailable_and_gives_no_zero(tool, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, **_: None)
    with pytest.raises(Unavailable, match=".NET 8 SDK"):
        engine.load(tool).version()


def test_the_catalog_lists_what_the_scorers_yield(known):
    for tool in ("roslyn", "roslyn-corrected"):
        scorer = engine.load(tool)
        assert tuple(m.id for m in known.tools[scorer.tool].metrics) == scorer.metrics


def test_the_project_is_the_studys_version_and_has_an_entry_point():
    project = ElementTree.parse(PROJECT / "RoslynDiagnostics.csproj")
    package = project.find(".//PackageReference")
    assert (package.get("Include"), package.get("Version")) == (
        "Microsoft.CodeAnalysis.CSharp",
        "[4.14.0]",
    )
    assert project.find(".//Compile") is None, "nothing may be taken out of the build"
    assert "static int Main(" in (PROJECT / "Program.cs").read_text(encoding="utf-8")


def test_the_program_is_well_formed_csharp():
    tree_sitter, grammar = (
        pytest.importorskip("tree_sitter"),
        pytest.importorskip("tree_sitter_c_sharp"),
    )
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    assert not parser.parse((PROJECT / "Program.cs").read_bytes()).root_node.has_error
