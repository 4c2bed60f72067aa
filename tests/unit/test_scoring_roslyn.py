"""Roslyn's diagnostics: the study's rule by id, the correct one by severity, and where a version is
found. Where `make setup-analysers` has installed Roslyn, its parser is run.
"""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from mtpeft.core.errors import Unavailable
from mtpeft.core.processes import die_with_parent
from mtpeft.scoring import engine
from mtpeft.scoring.interface import Item
from mtpeft.scoring.tools import roslyn
from mtpeft.scoring.tools.roslyn import Diagnostic, count

TOOLS = ("roslyn", "roslyn-corrected", "roslyn_4.8.0", "roslyn-corrected_4.8.0")
PARSER = [
    Diagnostic("CS1002", "Error", 1, "; expected"),
    Diagnostic("CS0106", "Error", 1, "The modifier 'public' is not valid for this item"),
    Diagnostic("CS1030", "Warning", 2, "#warning: 'x'"),
]


@pytest.fixture
def installed():
    try:
        return roslyn.place("4.8.0")
    except Unavailable as error:
        pytest.skip(f"{error.found}: make setup-analysers")


@pytest.fixture(scope="module")
def apart():
    """Call a function in a process of its own: one that has loaded .NET must not fork, and other
    tests do.
    """
    with ProcessPoolExecutor(1, get_context("fork"), die_with_parent) as pool:
        yield lambda function, *given: pool.submit(function, *given).result()


def _values(tool, item):
    return tuple(s.value for s in engine.load(tool).score([item]))


def test_the_studys_rule_takes_real_syntax_errors_for_maintainability():
    assert count(PARSER, published=True) == (1, 2)
    assert count([], published=True) == (0, 0)


def test_the_correct_rule_goes_by_severity():
    assert count(PARSER, published=False) == (2, 1)


def test_a_message_shows_line_id_and_severity():
    assert str(PARSER[0]) == "1: CS1002 ; expected (error)"


@pytest.mark.parametrize("tool", TOOLS)
def test_the_catalog_lists_what_the_scorers_yield(tool, known):
    scorer = engine.load(tool)
    assert scorer.tool == tool
    assert tuple(m.id for m in known.tools[tool].metrics) == scorer.metrics


@pytest.mark.parametrize("tool", TOOLS)
def test_without_the_packages_the_tool_is_unavailable_and_gives_no_zero(
    tool, monkeypatch, tmp_path
):
    monkeypatch.setattr("mtpeft.core.paths.CACHE", tmp_path)
    monkeypatch.delenv("MTPEFT_TOOLS", raising=False)
    with pytest.raises(Unavailable, match="roslyn-4.8.0 is not installed"):
        engine.load(tool).version()


@pytest.mark.parametrize(
    ("code", "published", "by_severity"),
    [
        ("public int F() { return 1; }", (1, 0), (0, 0)),
        ("public override int Get() => a ?? b;", (0, 0), (0, 0)),
        ("public int P { get; set; } = 3;", (0, 0), (0, 0)),
        ("public Foo(int a) : base(a) { }", (1, 4), (0, 0)),
        ("int F() { return 1 }", (0, 1), (1, 0)),
        ("using System;\nclass A { int x }", (0, 1), (1, 0)),
        ("#warning x\nint F() { return 1; }", (0, 1), (0, 1)),
    ],
)
@pytest.mark.usefixtures("installed")
def test_the_parser_itself_says_so(code, published, by_severity, apart):
    item = Item("r", "translation-java-cs", "translation_1", "csharp", code)
    for tool, right in (("roslyn_4.8.0", published), ("roslyn-corrected_4.8.0", by_severity)):
        assert apart(_values, tool, item) == right, tool


@pytest.mark.usefixtures("installed")
def test_the_messages_are_english_and_name_their_line(apart):
    assert apart(roslyn.diagnostics, "class A\n{\n    int x\n}\n", "4.8.0") == [
        Diagnostic("CS1002", "Error", 3, "; expected")
    ]


def test_the_pinned_assemblies_are_of_the_version_that_the_tool_is_called_by(installed):
    assert roslyn.version_of(installed.assemblies / "Microsoft.CodeAnalysis.CSharp.dll") == "4.8.0"


def test_the_studys_version_is_taken_from_an_sdk_that_brings_it(installed, monkeypatch, tmp_path):
    told = "ProductVersion\0\0".encode("utf-16-le")
    for sdk, version in (("9.0.100", "4.12.0"), ("9.0.300", "4.14.0")):
        folder = tmp_path / "sdk" / sdk / "Roslyn" / "bincore"
        folder.mkdir(parents=True)
        (folder / "Microsoft.CodeAnalysis.CSharp.dll").write_bytes(
            b"MZ" + told + f"{version}-3.25218.8+f3c5".encode("utf-16-le")
        )
    program = tmp_path / "dotnet"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert roslyn.place("4.14.0").assemblies.parts[-3] == "9.0.300"
    with pytest.raises(Unavailable, match=r"Roslyn 4\.13\.0 is not here"):
        roslyn.place("4.13.0")
