"""An output and the tests of its instance as something that the sandbox runs.

Tests are expressions that are true of a right answer, `assert` statements, or (Python) a program that
defines `check(candidate)`. In Python they run in a process of their own; for Java see `java`.
"""

import ast
import re
from bisect import bisect_left

from mtpeft.core.text import with_line_feeds
from mtpeft.sandbox.instances import FunctionInstance, Instance
from mtpeft.sandbox.limits import Limits
from mtpeft.scoring.execution import java
from mtpeft.scoring.interface import Item
from mtpeft.tasks.source_text import parsed, syntax_error

# At most so many places are tried, and only in texts of at most so many characters.
_TRIES, _LONGEST = 50, 100_000


def instance(item: Item, output: str) -> Instance:
    """The instance that passes exactly where an output passes all tests of its item.

    Args:
        item: The output with its tests.
        output: In place of the item's own, for example the right answer.
    """
    code = output.removeprefix("\ufeff")  # behind a prompt it is no longer the mark of an encoding
    return java.instance(item, code) if item.language == "java" else _python(item, code)


def ended(prompt: str, completion: str, asked: str = "") -> tuple[str, str]:
    """A completion up to where it stops being one.

    HumanEval's authors stop generation at a new statement of the module. An answer that was
    generated without stop strings may end in the middle of one: what counts then is the longest
    part that ends before a line of the module and parses. Of their stop strings, `print` and `if`
    end it as well; helpers and imports behind the function stay.

    Args:
        prompt: What is continued.
        completion: The continuation.
        asked: The name of the function that the prompt begins.

    Returns:
        The part, and the rule that cut it; empty where nothing was cut.
    """
    if len(completion) > _LONGEST:
        return completion, ""
    # Python ends a line at a lone carriage return, too, and at no other sign.
    rows = with_line_feeds(completion).split("\n")
    part, rule = completion, ""
    tops = [n for n, row in enumerate(rows) if n and row[:1] not in ("", " ", "\t", "#", ")")]
    for _ in range(_TRIES):
        line = syntax_error(prompt + part)
        if line is None:
            break
        # What begins behind the first error cannot be part of anything that parses.
        error = line - prompt.count("\n")
        tops = tops[: max(bisect_left(tops, error), 0)] if error > 0 else tops[:-1]
        if not tops:
            return completion, ""
        end = tops.pop()
        part = "\n".join(rows[:end]) + "\n"
        rule = "up to the first statement of the module that is not whole"
    else:
        return completion, ""
    if stop := _stop(prompt + part, asked):
        part = "\n".join(rows[: stop - 1 - prompt.count("\n")]) + "\n"
        rule = "up to the first print or if of the module behind the function"
    return part, rule


def _stop(code: str, asked: str) -> int:
    """The line of the first statement that HumanEval would not have generated; 0: there is none."""
    tree = parsed(code) if asked else None
    body = tree.body if tree else []
    functions = [n for n, node in enumerate(body) if getattr(node, "name", "") == asked]
    for node in body[functions[-1] + 1 :] if functions else []:
        called = (
            node.value.func
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            else None
        )
        if isinstance(node, ast.If) or (isinstance(called, ast.Name) and called.id == "print"):
            return node.lineno
    return 0


def _python(item: Item, output: str) -> FunctionInstance:
    prompt = item.prompt if parsed(item.prompt) is not None else ""
    source = prompt + ended(prompt, output, item.asked)[0]
    test = "\n".join(item.tests)
    if not re.search(r"^def check\(", test, re.MULTILINE):
        lines = (t if t.startswith("assert ") else f"assert {t}" for t in item.tests)
        test = "".join([f"def check({item.asked}):\n", *(f"    {line}\n" for line in lines)])
    limits = Limits()
    return FunctionInstance(
        item.instance_id, source, item.asked, test, prelude=prompt, limits=limits
    )
