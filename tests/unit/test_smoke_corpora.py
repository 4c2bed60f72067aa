"""The tiny corpora of the smoke run: complete, alike in three languages, and right in Python.

Java and C# are compiled and run by tests/recipe/test_smoke_corpora_run.py.
"""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mtpeft.corpora import load

SMOKE = Path(__file__).resolve().parents[2] / "data" / "smoke"
FUNCTION_FILES = sorted((SMOKE / "functions").glob("*.toml"))
FUNCTIONS = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in FUNCTION_FILES}
SPLITS = tomllib.loads((SMOKE / "splits.toml").read_text("utf-8"))

LANGUAGES = ("java", "python", "csharp")
TOPICS = {"arithmetic", "arrays", "bits", "conditionals", "maps", "parsing", "recursion", "strings"}
SPLIT_SIZES = {"train": 54, "valid": 6, "test": 6}
MOST_CODE_TOKENS = 120

SIGNATURE = {
    "java": r"public static [\w<>\[\], ]+ {name}\(.*\) \{{",
    "python": r"def {name}\(.*\):",
    "csharp": r"public static [\w<>\[\], ]+ {name}\(.*\)",
}
# A function that looks at the world outside its arguments can pass today and fail tomorrow.
OUTSIDE_WORLD = re.compile(
    r"\b(import|using|open|input|print|random|Random|time|datetime|DateTime|Date|Locale|CultureInfo"
    r"|System|Console|File|Thread|ToUpper|ToLower|toUpperCase\(\)|toLowerCase\(\))\b"
)

each_function = pytest.mark.parametrize("function_id", FUNCTIONS)
each_code = pytest.mark.parametrize(
    ("function_id", "language"), [(name, language) for name in FUNCTIONS for language in LANGUAGES]
)


def tokens(code: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", code)


def lines(text: str) -> list[str]:
    return text.rstrip("\n").split("\n")


def spelled(function_id: str, language: str) -> str:
    """The name that a function id must have in a language's own spelling."""
    pascal = "".join(part.capitalize() for part in function_id.split("_"))
    return {"python": function_id, "java": pascal[0].lower() + pascal[1:], "csharp": pascal}[
        language
    ]


def literals(test: str) -> list[str]:
    return [found.strip("\"'") for found in re.findall(r"\"[^\"]*\"|'[^']*'|-?\d+(?:\.\d+)?", test)]


def load_python(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(compile(code, "<smoke corpus>", "exec"), namespace)
    return namespace


def record_outer_results(function: Callable[..., Any], results: list[str]) -> Callable[..., Any]:
    depth = 0

    def wrapper(*arguments: Any) -> Any:
        nonlocal depth
        depth += 1
        try:
            result = function(*arguments)
        finally:
            depth -= 1
        if depth == 0:
            results.append(repr(result))
        return result

    return wrapper


def test_no_function_is_missing_and_none_is_in_two_splits() -> None:
    assert len(FUNCTIONS) == 66
    assert {split: len(ids) for split, ids in SPLITS.items()} == SPLIT_SIZES
    listed = [function_id for ids in SPLITS.values() for function_id in ids]
    assert sorted(listed) == sorted(FUNCTIONS)
    for ids in SPLITS.values():
        assert ids == sorted(ids)


def test_no_topic_is_without_functions() -> None:
    assert {entry["topic"] for entry in FUNCTIONS.values()} == TOPICS


@each_function
def test_no_field_is_missing_or_unknown(function_id: str) -> None:
    entry = FUNCTIONS[function_id]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", function_id)
    assert set(entry) == {"summary", "topic", *LANGUAGES}
    for language in LANGUAGES:
        assert set(entry[language]) == {"code", "tests"}


@each_function
def test_summary_is_not_more_or_less_than_one_ascii_sentence(function_id: str) -> None:
    summary = FUNCTIONS[function_id]["summary"]
    assert summary.isascii()
    assert re.fullmatch(r"[A-Z][^.\n]*[^.\s]\.", summary)
    assert 4 <= len(summary.split()) <= 16


def test_no_two_functions_share_a_summary() -> None:
    summaries = [entry["summary"].lower() for entry in FUNCTIONS.values()]
    assert len(set(summaries)) == len(summaries)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_function_is_a_copy_under_another_name(language: str) -> None:
    bodies: dict[tuple[str, ...], str] = {}
    for function_id, entry in FUNCTIONS.items():
        name = spelled(function_id, language)
        body = tuple(
            "NAME" if token == name else token for token in tokens(entry[language]["code"])
        )
        assert body not in bodies, f"{function_id} repeats {bodies[body]}"
        bodies[body] = function_id


@each_code
def test_signature_is_the_first_line_and_bears_the_function_id(
    function_id: str, language: str
) -> None:
    first = lines(FUNCTIONS[function_id][language]["code"])[0]
    pattern = SIGNATURE[language].format(name=spelled(function_id, language))
    assert re.fullmatch(pattern, first), first


@each_code
def test_parameters_have_the_same_names_in_every_language(function_id: str, language: str) -> None:
    def parameters(of: str) -> list[str]:
        listed = lines(FUNCTIONS[function_id][of]["code"])[0].split("(", 1)[1].rsplit(")", 1)[0]
        without_type_arguments = re.sub(r"<[^()]*?>(?= )", "", listed)
        return [parameter.split()[-1] for parameter in without_type_arguments.split(", ")]

    assert parameters(language) == parameters("python")


@each_code
def test_code_is_not_too_long_to_be_learnt_by_heart(function_id: str, language: str) -> None:
    code = FUNCTIONS[function_id][language]["code"]
    assert len(tokens(code)) < MOST_CODE_TOKENS
    statements = [line for line in lines(code)[1:] if line.strip() not in {"{", "}"}]
    assert 2 <= len(statements) <= 12


@each_code
def test_text_has_no_tab_trailing_space_or_foreign_character(
    function_id: str, language: str
) -> None:
    for text in FUNCTIONS[function_id][language].values():
        assert text.isascii()
        assert text.endswith("\n") and not text.endswith("\n\n")
        for line in lines(text):
            assert line and line == line.rstrip() and "\t" not in line
            assert len(line) <= 120


@each_code
def test_code_does_not_depend_on_the_world_outside(function_id: str, language: str) -> None:
    assert not OUTSIDE_WORLD.search(FUNCTIONS[function_id][language]["code"])


@each_code
def test_tests_ask_the_same_in_every_language(function_id: str, language: str) -> None:
    tests = lines(FUNCTIONS[function_id][language]["tests"])
    assert len(tests) >= 3
    assert len(set(tests)) == len(tests)
    asked = [literals(test) for test in tests]
    assert asked == [literals(test) for test in lines(FUNCTIONS[function_id]["python"]["tests"])]
    for test in tests:
        assert spelled(function_id, language) + "(" in test


@each_function
def test_python_code_passes_its_tests(function_id: str) -> None:
    namespace = load_python(FUNCTIONS[function_id]["python"]["code"])
    for test in lines(FUNCTIONS[function_id]["python"]["tests"]):
        assert eval(test, namespace) is True, test


@each_function
def test_a_function_that_always_returns_the_same_would_not_pass(function_id: str) -> None:
    namespace = load_python(FUNCTIONS[function_id]["python"]["code"])
    results: list[str] = []
    namespace[function_id] = record_outer_results(namespace[function_id], results)
    for test in lines(FUNCTIONS[function_id]["python"]["tests"]):
        eval(test, namespace)
    assert len(set(results)) >= 2


@pytest.mark.parametrize("task", ["clone-detection", "code-search", "vulnerability-detection"])
def test_a_task_that_the_functions_do_not_serve_has_no_examples(task):
    """Summaries stood in for them."""
    assert load("smoke", task, "train") == []
