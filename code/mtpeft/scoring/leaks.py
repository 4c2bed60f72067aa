"""Inputs that already hold what is to be written: a summary of code that has its docstring."""

import ast
import textwrap
from collections.abc import Collection
from dataclasses import dataclass

from mtpeft.catalog import catalog
from mtpeft.corpora.load import evaluation as instances
from mtpeft.tasks.source_text import parsed


@dataclass(frozen=True)
class Leak:
    """Inputs of one evaluation set that hold their answer.

    Attributes:
        inputs: How many there are.
        docstring: Those whose code has a docstring.
        reference: Those that hold the reference word for word.
    """

    evaluation: str
    inputs: int
    docstring: int
    reference: int


def leaks(evaluations: Collection[str]) -> list[Leak]:
    """One record for each evaluation set whose inputs are code and whose answers are text.

    Args:
        evaluations: The sets that are looked at.
    """
    found = []
    for task in catalog().tasks.values():
        for evaluation in task.evaluations if task.output == "text" else []:
            if evaluation.id not in evaluations:
                continue
            examples = [e for e in instances(evaluation.id) if e.inputs.get("code") and e.target]
            found.append(
                Leak(
                    evaluation.id,
                    len(examples),
                    sum(has_docstring(e.inputs["code"], e.language) for e in examples),
                    sum(_words(e.target) in _words(e.inputs["code"]) for e in examples),
                )
            )
    return found


def has_docstring(code: str, language: str) -> bool:
    """Whether code documents itself: a Python docstring, or a comment `/** … */`."""
    if language != "python":
        return "/**" in code
    tree = parsed(textwrap.dedent(code))
    if tree is None:  # Python 2, say
        return '"""' in code or "'''" in code
    documented = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
    return any(ast.get_docstring(n) for n in ast.walk(tree) if isinstance(n, documented))


def _words(text: str) -> str:
    return " ".join(text.split())
