"""Pylint: messages per file by the first letter of their id, with Pylint's defaults and no
configuration file.

One file a check, as the study did it, but in a process that lives on: importing Pylint, setting it
up and building its knowledge of the standard library cost a hundred times more than checking one
function. A syntax error is Pylint's only message for a file; the counts have then no value. Nor
have they where Pylint itself fails (a fatal message, F), which the study's script left out.
"""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import lru_cache
from importlib.metadata import version as installed
from typing import Any

from mtpeft.core.files import scratch
from mtpeft.core.records import Score
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item
from mtpeft.scoring.wrapping import HOUSE_NAME, file_of

METRICS = {
    "E": "pylint_error",
    "W": "pylint_warning",
    "C": "pylint_convention",
    "R": "pylint_refactor",
}


class PylintScorer:
    """Pylint as a `Scorer`."""

    tool = "pylint"
    metrics = tuple(METRICS.values())
    batch = 1
    workers = 64
    reads_environment = True
    seconds = 120
    uses_references = False
    finds_faults = True

    def version(self) -> str:
        """As `Scorer.version`."""
        return f"{installed('pylint')} (astroid {installed('astroid')})"

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """As `Scorer.score`."""
        for item in items:
            if not item.output.strip():
                yield from unmeasured(
                    self.tool, self.version(), item, self.metrics, "empty", "an empty output"
                )
                continue
            source = file_of(item)
            messages = messages_of(source.text, source.name)
            syntax = [m for m in messages if m.symbol in ("syntax-error", "parse-error")]
            crashed = [m for m in messages if m.msg_id[0] == "F" and m not in syntax]
            lines = {
                metric: "\n".join(
                    f"{m.line}:{m.column}: {m.msg_id} {m.msg} ({m.symbol})"
                    for m in messages
                    if m.msg_id[0] == letter
                )
                for letter, metric in METRICS.items()
            }
            if syntax:
                yield from unmeasured(
                    self.tool,
                    self.version(),
                    item,
                    self.metrics,
                    "unparseable",
                    lines[METRICS["E"]],
                )
                continue
            if crashed:
                said = f"Pylint failed: {crashed[0].msg_id} ({crashed[0].symbol})"
                yield from unmeasured(
                    self.tool, self.version(), item, self.metrics, "infrastructure", said
                )
                continue
            counts = {
                metric: sum(m.msg_id[0] == letter for m in messages)
                for letter, metric in METRICS.items()
            }
            yield from measured(self.tool, self.version(), item, counts, lines)


def messages_of(code: str, name: str = HOUSE_NAME["python"]) -> list[Any]:
    """Pylint's messages (`pylint.message.Message`) for one source text in a file NAME.py of its
    own. The name is part of what Pylint judges; it is `wrapping.file_of`'s business.
    """
    from astroid import MANAGER

    linter = _linter()
    linter.reporter.messages = []
    with scratch("pylint") as folder:
        path = folder / f"{name}.py"
        path.write_text(code, encoding="utf-8", newline="")
        # Where it crashes, Pylint prints pages for its developers; the message says enough.
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            linter.check([str(path)])
    # The module of this output must not be found by the next one; the standard library may stay.
    MANAGER.astroid_cache.pop(name, None)
    return list(linter.reporter.messages)


@lru_cache(maxsize=1)
def _linter() -> Any:
    """Pylint set up as its command line does it without any configuration file; it is then used
    file by file.

    Setting up costs twice as much as checking one function. Every check opens and closes the
    checkers, so that nothing is remembered between files (similar lines and import cycles, which
    compare files, see one file at a time).
    """
    from pylint.lint import Run
    from pylint.reporters import CollectingReporter

    with scratch("pylint") as folder:
        # An empty file in place of the user's own configuration; the study had none.
        empty, nothing = folder / "pylintrc", folder / "nothing.py"
        empty.write_text("[MAIN]\n", encoding="utf-8")
        nothing.write_text("", encoding="utf-8")
        os.environ["PYLINTHOME"] = str(folder)
        return Run(
            ["--rcfile", str(empty), "--persistent=n", "--reports=n", str(nothing)],
            reporter=CollectingReporter(),
            exit=False,
        ).linter


def scorer() -> PylintScorer:
    """Pylint with its defaults."""
    return PylintScorer()
