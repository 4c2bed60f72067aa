"""The smoke corpora compiled and run: every function of a language in one program.

Needs javac and java (17 or newer), tree-sitter and tree-sitter-c-sharp (group `score`), and for the
C# programs a compiler: the .NET SDK, or mcs and mono.
"""

import copy
import importlib
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.recipe

SMOKE = Path(__file__).resolve().parents[2] / "data" / "smoke"
SECONDS = 300

JAVA_PROGRAM = """\
import java.util.*;
import java.util.function.BooleanSupplier;

public class SmokeTests {{
    static void check(String test, BooleanSupplier passes) {{
        String outcome;
        try {{
            outcome = passes.getAsBoolean() ? "passed" : "failed";
        }} catch (RuntimeException | StackOverflowError raised) {{
            outcome = raised.getClass().getSimpleName();
        }}
        System.out.println(test + " " + outcome);
    }}

    public static void main(String[] arguments) {{
{calls}
    }}
}}

{classes}
"""

CSHARP_PROGRAM = """\
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;

static class SmokeTests
{{
    static void Check(string test, Func<bool> passes)
    {{
        string outcome;
        try
        {{
            outcome = passes() ? "passed" : "failed";
        }}
        catch (Exception raised)
        {{
            outcome = raised.GetType().Name;
        }}
        Console.WriteLine(test + " " + outcome);
    }}

    static void Main()
    {{
{calls}
    }}
}}

{classes}
"""

CSHARP_PROJECT = """\
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net{major}.0</TargetFramework>
    <LangVersion>8.0</LangVersion>
    <UseAppHost>false</UseAppHost>
    <InvariantGlobalization>true</InvariantGlobalization>
  </PropertyGroup>
</Project>
"""

Functions = dict[str, dict[str, Any]]
Outcomes = dict[str, list[str]]


@pytest.fixture
def functions() -> Functions:
    files = sorted((SMOKE / "functions").glob("*.toml"))
    return {path.stem: tomllib.loads(path.read_text("utf-8")) for path in files}


def assertions_of(entry: dict[str, str]) -> list[str]:
    return entry["tests"].rstrip("\n").split("\n")


def java_program(functions: Functions) -> str:
    calls, classes = [], []
    for function_id, entry in functions.items():
        methods = []
        for number, test in enumerate(assertions_of(entry["java"])):
            calls.append(f'        check("{function_id}", Of_{function_id}::test{number});')
            methods.append(f"static boolean test{number}() {{ return {test}; }}")
        body = entry["java"]["code"] + "\n".join(methods)
        classes.append(f"class Of_{function_id} {{\n{body}\n}}")
    return JAVA_PROGRAM.format(calls="\n".join(calls), classes="\n\n".join(classes))


def csharp_program(functions: Functions) -> str:
    calls, classes = [], []
    for function_id, entry in functions.items():
        methods = []
        for number, test in enumerate(assertions_of(entry["csharp"])):
            calls.append(f'        Check("{function_id}", Of_{function_id}.Test{number});')
            methods.append(f"public static bool Test{number}() {{ return {test}; }}")
        body = entry["csharp"]["code"] + "\n".join(methods)
        classes.append(f"static class Of_{function_id}\n{{\n{body}\n}}")
    return CSHARP_PROGRAM.format(calls="\n".join(calls), classes="\n\n".join(classes))


def call(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def outcomes_printed(run: subprocess.CompletedProcess[str]) -> Outcomes:
    assert run.returncode == 0, run.stderr
    outcomes: Outcomes = {}
    for line in run.stdout.splitlines():
        function_id, outcome = line.split()
        outcomes.setdefault(function_id, []).append(outcome)
    return outcomes


def compile_java(functions: Functions, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "SmokeTests.java").write_text(java_program(functions), "utf-8")
    return call(["javac", "-encoding", "UTF-8", "-Xlint:all", "-Werror", "SmokeTests.java"], folder)


def run_java(functions: Functions, folder: Path) -> Outcomes:
    compiled = compile_java(functions, folder)
    assert compiled.returncode == 0, compiled.stderr
    return outcomes_printed(call(["java", "-cp", ".", "SmokeTests"], folder))


def run_csharp(functions: Functions, folder: Path) -> Outcomes:
    if shutil.which("dotnet"):
        version = call(["dotnet", "--version"], folder)
        assert version.returncode == 0, version.stderr
        major = version.stdout.split(".")[0]
        (folder / "SmokeTests.csproj").write_text(CSHARP_PROJECT.format(major=major), "utf-8")
        build = ["dotnet", "build", "--nologo", "--output", "built"]
        start = ["dotnet", "built/SmokeTests.dll"]
    elif shutil.which("mcs") and shutil.which("mono"):
        build = [
            "mcs",
            "-langversion:7",
            "-r:System.Core.dll",
            "-out:SmokeTests.exe",
            "SmokeTests.cs",
        ]
        start = ["mono", "SmokeTests.exe"]
    else:
        pytest.skip("cannot run here: no C# compiler (neither the .NET SDK nor mcs and mono)")
    (folder / "SmokeTests.cs").write_text(csharp_program(functions), "utf-8")
    compiled = call(build, folder)
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    return outcomes_printed(call(start, folder))


def all_passed(functions: Functions, language: str) -> Outcomes:
    return {
        name: ["passed"] * len(assertions_of(entry[language])) for name, entry in functions.items()
    }


def broken(functions: Functions, function_id: str, language: str, old: str, new: str) -> Functions:
    changed = copy.deepcopy(functions)
    code = changed[function_id][language]["code"]
    assert code.count(old) == 1
    changed[function_id][language]["code"] = code.replace(old, new)
    return changed


def csharp_parser() -> Any:
    try:
        tree_sitter = importlib.import_module("tree_sitter")
        grammar = importlib.import_module("tree_sitter_c_sharp")
    except ModuleNotFoundError as missing:
        pytest.fail(
            f"found no {missing.name}; expected the packages of group score; run make .venv/.score"
        )
    return tree_sitter.Parser(tree_sitter.Language(grammar.language()))


def csharp_method_parses(parser: Any, code: str) -> bool:
    root = parser.parse(f"class Of\n{{\n{code}}}\n".encode()).root_node
    methods = [node for node in root.children[0].children[-1].children if node.is_named]
    return not root.has_error and [node.type for node in methods] == ["method_declaration"]


def test_no_java_function_fails_its_tests(functions: Functions, tmp_path: Path) -> None:
    assert len(functions) == 66
    assert run_java(functions, tmp_path) == all_passed(functions, "java")


def test_a_wrong_java_function_is_not_passed(functions: Functions, tmp_path: Path) -> None:
    changed = broken(functions, "binary_search", "java", "low <= high", "low < high")
    changed = broken(changed, "max_value", "java", "value > best", "value < best")
    changed = broken(changed, "rotate_left", "java", " % values.length", "")
    changed = broken(changed, "factorial", "java", "if (n <= 1) return 1;", "")
    outcomes = run_java(changed, tmp_path)
    expected = all_passed(functions, "java")
    index_error, stack_error = "ArrayIndexOutOfBoundsException", "StackOverflowError"
    expected["binary_search"] = ["failed", "passed", "failed", "passed", "passed"]
    expected["max_value"] = ["failed", "failed", "passed"]
    expected["rotate_left"] = [index_error, index_error, "passed"]
    expected["factorial"] = [stack_error, stack_error, stack_error]
    assert outcomes == expected


def test_java_that_does_not_compile_is_not_passed(functions: Functions, tmp_path: Path) -> None:
    changed = broken(functions, "lcm", "java", "int multiple = a;", "int multiple = a")
    compiled = compile_java(changed, tmp_path)
    assert compiled.returncode != 0
    assert re.search(r"';' expected", compiled.stderr)


def test_no_csharp_function_has_a_syntax_error(functions: Functions) -> None:
    parser = csharp_parser()
    codes = {name: entry["csharp"]["code"] for name, entry in functions.items()}
    assert [name for name, code in codes.items() if not csharp_method_parses(parser, code)] == []


def test_a_csharp_syntax_error_is_not_overlooked(functions: Functions) -> None:
    parser = csharp_parser()
    code = functions["lcm"]["csharp"]["code"]
    assert not csharp_method_parses(
        parser, code.replace("int multiple = a;", "int multiple = a", 1)
    )
    assert not csharp_method_parses(parser, code.rstrip().removesuffix("}"))
    assert not csharp_method_parses(parser, code + code)


def test_no_csharp_function_fails_its_tests(functions: Functions, tmp_path: Path) -> None:
    assert run_csharp(functions, tmp_path) == all_passed(functions, "csharp")


def test_a_wrong_csharp_function_is_not_passed(functions: Functions, tmp_path: Path) -> None:
    changed = broken(functions, "max_value", "csharp", "value > best", "value < best")
    expected = all_passed(functions, "csharp")
    expected["max_value"] = ["failed", "failed", "passed"]
    assert run_csharp(changed, tmp_path) == expected
