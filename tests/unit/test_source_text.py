"""What is said of a text as source code does not depend on who else asks."""

import gc
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from mtpeft.scoring.leaks import has_docstring
from mtpeft.scoring.output_defects import defects_of
from mtpeft.tasks.source_text import module, parsed, syntax_error

NESTED = (
    "x = " + "(" * 40 + "1" + ")" * 40 + "\n" + "\n".join(f"y{i} = [{i}, {{}}]" for i in range(40))
)


def test_threads_parse_side_by_side():
    # Others get their turn whenever the parser's objects are collected: between two levels of its depth.
    def give_way(_phase: str, _info: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0)

    before = gc.get_threshold()
    gc.callbacks.append(give_way)
    gc.set_threshold(20, 1000, 1000)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(syntax_error, [NESTED] * 200))
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(give_way)
    assert found == [None] * 200


def test_warnings_of_a_text_stay_unsaid():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert module("x = '\\d'\n1 is 1\n").body


@pytest.mark.parametrize(
    "code",
    [
        "x = '\x00'",
        "x = '\ud800'",
        "-" * 20_000 + "1",
        "(" * 5_000 + ")" * 5_000,
        "a" + ".b" * 50_000,
    ],
    ids=["null", "surrogate", "signs", "brackets", "attributes"],
)
def test_a_text_that_no_parser_takes_is_no_module(code):
    assert parsed(code) is None
    assert syntax_error(code) is not None
    assert not has_docstring(code, "python")
    assert isinstance(defects_of(code, "python"), dict)
