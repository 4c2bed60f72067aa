"""An output and the tests of its instance as something that the sandbox runs.

Tests are expressions that are true of a right answer, `assert` statements, or (Python) a program that
defines `check(candidate)`. In Python they run in a process of their own. A Java method shares the
process with its tests: each test that holds prints a word that the harness was told on standard
input before the output's class is loaded, and whose value no name leads to.
"""

import ast
import re
import secrets
from bisect import bisect_left

from mtpeft.core.text import with_line_feeds
from mtpeft.sandbox.instances import Case, FunctionInstance, Instance, ProgramInstance
from mtpeft.sandbox.limits import Limits
from mtpeft.scoring.interface import Item
from mtpeft.tasks.source_text import bare, parsed, syntax_error

# At most so many places are tried, and only in texts of at most so many characters.
_TRIES, _LONGEST = 50, 100_000
_TYPE = re.compile(
    r"\s*(?:(?:public|final|abstract|sealed|strictfp)\s+)*(?:class|record|enum|interface)\s+(\w+)[^{]*"
)
_PUBLIC = re.compile(
    r"^public(?=\s+(?:(?:final|abstract|sealed|strictfp)\s+)*(?:class|record|enum|interface)\s)",
    re.MULTILINE,
)
_LEADING = re.compile(r"\s*(?:(?:import|package)\s[^;]*;\s*)*")
_PACKAGE = re.compile(r"^\s*package\s[^;]*;", re.MULTILINE)
_HARNESS = """
class Run{nonce} {{
    public static void main(java.lang.String[] arguments) throws java.lang.Throwable {{
        java.io.PrintStream out = java.lang.System.out;
        java.lang.System.setOut(java.lang.System.err);
        java.lang.String[] words = new java.lang.String(java.lang.System.in.readAllBytes()).split("\\n");
{calls}
        out.flush();
    }}
}}
"""


def instance(item: Item, output: str) -> Instance:
    """The instance that passes exactly where an output passes all tests of its item.

    Args:
        item: The output with its tests.
        output: In place of the item's own, for example the right answer.
    """
    code = output.removeprefix("\ufeff")  # behind a prompt it is no longer the mark of an encoding
    return _java(item, code) if item.language == "java" else _python(item, code)


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


def _java(item: Item, output: str) -> ProgramInstance:
    """The output's class, or a class around its methods, with a method for each test, and a main
    program. Names and words are new in each run.
    """
    nonce = secrets.token_hex(8)
    head = _LEADING.match(output)
    start = head.end() if head else 0
    imports, body = _PACKAGE.sub("", output[:start]), output[start:]
    blank = bare(body)
    static = re.search(rf"\bstatic\b[^;{{}}()]*\b{re.escape(item.asked)}\s*\(", blank)
    tests = "".join(
        f"\n    {'static ' if static else ''}boolean test{n}_{nonce}() throws java.lang.Throwable "
        f"{{ return {_expression(t)}; }}"
        for n, t in enumerate(item.tests)
    )
    if found := _TYPE.match(blank):
        name, end = found[1], _closing(blank, found.end())
        # One file holds one public type, and that is the one with `main`.
        for public in _PUBLIC.finditer(blank):
            body = f"{body[: public.start()]}      {body[public.end() :]}"
        whole = f"{body[:end]}{tests}\n{body[end:]}"
    else:
        name = f"Answer{nonce}"
        whole = f"class {name} {{\n{body}\n{tests}\n}}"
    owner = name if static else f"new {name}()"
    calls = "\n".join(
        f"        if ({owner}.test{n}_{nonce}()) out.println(words[{n}]);"
        for n in range(len(item.tests))
    )
    words = [secrets.token_hex(8) for _ in item.tests]
    typed = "\n".join(words).encode() + b"\n"
    usual = "import java.util.*;\nimport java.util.function.*;\nimport java.util.stream.*;\n"
    source = f"{imports}\n{usual}{_HARNESS.format(nonce=nonce, calls=calls)}\n{whole}\n"
    cases = (Case(typed, typed),)
    return ProgramInstance(item.instance_id, "java", source, cases, main=f"Run{nonce}")


def _expression(test: str) -> str:
    return test.removeprefix("assert ").rstrip().removesuffix(";")


def _closing(blank: str, start: int) -> int:
    """The position of the brace that closes the one at `start`; the end where none does."""
    depth = 0
    for found in re.finditer(r"[{}]", blank[start:]):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return start + found.start()
    return len(blank)
