"""150 answers written by hand come out as a careful human would take them out."""

import ast
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from mtpeft.tasks import code_search, generation, summarization, translation, yes_no

FOLDER = Path(__file__).parent / "answers"
LANGUAGE = {"generation-python": "python", "generation-java": "java"}
CANDIDATES = 3


def _entries(folder: Path = FOLDER) -> list[dict[str, Any]]:
    return [
        {"set": path.stem, **entry}
        for path in sorted(folder.glob("*.yaml"))
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


def _taken(entry: dict[str, Any]) -> Any:
    raw = entry["raw"].replace("\n", "\r\n") if entry.get("crlf") else entry["raw"]
    match entry["set"]:
        case "translation":
            return translation.answer(raw, False, entry["language"])
        case "summarization":
            return summarization.answer(raw, False)
        case "yes-no":
            return yes_no.strict(raw)
        case "candidate-scores":
            return code_search.read_scores(raw, CANDIDATES) or ""
        case name:
            return generation.answer(raw, False, LANGUAGE[name], entry["asked"])


def _language(entry: dict[str, Any]) -> str:
    return str(entry.get("language") or LANGUAGE.get(entry["set"], ""))


def _same(taken: Any, wanted: Any, language: str) -> bool:
    """Equal; of code up to empty lines, of languages with braces up to all blanks between words."""
    if language == "python":
        try:
            return ast.dump(ast.parse(taken)) == ast.dump(ast.parse(wanted))
        except SyntaxError:
            return str(taken).rstrip() == wanted.rstrip()
    if language:
        return re.findall(r"\w+|\S", taken) == re.findall(r"\w+|\S", wanted)
    return bool(taken == wanted)


def _read_all_the_same(taken: Any, language: str) -> bool:
    """Whether a text that no human would take gets past the tools: anything but code that does not
    parse.
    """
    if language != "python":
        return bool(taken)
    try:
        return bool(ast.parse(taken).body)
    except SyntaxError:
        return False


ENTRIES = _entries()
FRAMES = _entries(FOLDER / "frames")


def test_the_set_has_150_answers_with_names_of_their_own() -> None:
    assert len(ENTRIES) == 150 == len({(e["set"], e["id"]) for e in ENTRIES})


def test_nine_of_ten_answers_are_taken_as_a_human_would_and_none_wrongly() -> None:
    missed = [
        (e["id"], taken) for e in ENTRIES if not _same(taken := _taken(e), e["take"], _language(e))
    ]
    wrong = [
        (name, taken)
        for name, taken in missed
        for e in ENTRIES
        if e["id"] == name and _read_all_the_same(taken, _language(e))
    ]
    assert not wrong, wrong
    assert len(missed) <= len(ENTRIES) // 10, missed


@pytest.mark.parametrize("entry", ENTRIES, ids=[e["id"] for e in ENTRIES])
def test_an_answer_is_taken_as_a_human_would(entry: dict[str, Any]) -> None:
    assert _same(_taken(entry), entry["take"], _language(entry)), _taken(entry)


@pytest.mark.parametrize("entry", FRAMES, ids=[f"{e['set']}-{e['id']}" for e in FRAMES])
def test_an_answer_in_another_frame_is_taken_as_a_human_would(entry: dict[str, Any]) -> None:
    assert _same(_taken(entry), entry["take"], _language(entry)), _taken(entry)


def test_answers_of_signs_alone_are_searched_in_bounded_time() -> None:
    fence = "```"
    pieces = (f"{fence}\n", "@'\n", "<<<<<<< a\n", "<think>\n")
    began = time.process_time()
    for piece in pieces:
        generation.answer(piece * (14_000 // len(piece)), False, "python", "f")
    assert time.process_time() - began < 10
