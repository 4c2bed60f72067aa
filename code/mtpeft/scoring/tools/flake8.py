"""Flake8: reported violations per file by the first letter of their code, with Flake8's defaults.

The study ran it and kept no values. Flake8 lives on in one process; it is started for one file at a
time, as the study did. A syntax error (E999) makes the file unparseable.
"""

import io
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version as installed
from typing import Any

from mtpeft.core.files import scratch
from mtpeft.core.records import Score
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item
from mtpeft.scoring.wrapping import wrap

METRICS = {
    "E": "flake8_error",
    "W": "flake8_warning",
    "F": "flake8_pyflakes",
    "C": "flake8_complexity",
}


class Flake8Scorer:
    """Flake8 as a `Scorer`."""

    tool = "flake8"
    metrics = tuple(METRICS.values())
    batch = 1
    workers = 64
    reads_environment = True
    seconds = 60
    uses_references = False
    finds_faults = True

    def version(self) -> str:
        """As `Scorer.version`."""
        return f"{installed('flake8')} (pycodestyle {installed('pycodestyle')}, pyflakes {installed('pyflakes')})"

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """As `Scorer.score`."""
        for item in items:
            if not item.output.strip():
                yield from unmeasured(
                    self.tool, self.version(), item, self.metrics, "empty", "an empty output"
                )
                continue
            code = wrap(item)
            if fault := _encoding_fault(code):
                yield from unmeasured(
                    self.tool, self.version(), item, self.metrics, "unparseable", fault
                )
                continue
            found = violations_of(code, noqa=item.archived)
            broken = [text for code, _, text in found if code == "E999"]
            if broken:
                yield from unmeasured(
                    self.tool, self.version(), item, self.metrics, "unparseable", broken[0]
                )
                continue
            counts = Counter(code[0] for code, _, _ in found)
            yield from measured(
                self.tool,
                self.version(),
                item,
                {m: counts[k] for k, m in METRICS.items()},
                {
                    m: "\n".join(
                        f"{line}: {code} {text}" for code, line, text in found if code[0] == k
                    )
                    for k, m in METRICS.items()
                },
            )


def violations_of(code: str, noqa: bool = True) -> list[tuple[str, int, str]]:
    """Code, line and text of everything that Flake8 reports for one source text.

    Args:
        code: The text.
        noqa: Whether comments in the text may hide violations, as Flake8 has it by default.
    """
    application, collected = _application()
    application.options.disable_noqa = not noqa
    collected.clear()
    with scratch("flake8") as folder:
        path = folder / "output.py"
        path.write_text(code, encoding="utf-8", newline="")
        application.options.filenames = [str(path)]
        application.make_file_checker_manager([])
        application.run_checks()
        application.report_errors()
    return [(v.code, v.line_number, v.text) for v in collected]


def _encoding_fault(code: str) -> str:
    """What is wrong with the encoding that a text declares: one of no text ends Flake8."""
    try:
        encoding, _ = tokenize.detect_encoding(
            io.BytesIO(code.encode("utf-8", "surrogatepass")).readline
        )
        io.TextIOWrapper(io.BytesIO(), encoding)
    except SyntaxError:  # Flake8 reads such a text as Latin-1
        return ""
    except LookupError as error:
        return str(error)
    return ""


@lru_cache(maxsize=1)
def _application() -> tuple[Any, list[Any]]:
    """A Flake8 without any configuration file, whose reporter collects instead of printing; and the
    collected list.
    """
    from flake8.main.application import Application

    application = Application()
    application.initialize(["--isolated", "--jobs=1", "-"])
    collected: list[Any] = []
    application.formatter.handle = collected.append
    return application, collected


def scorer() -> Flake8Scorer:
    """Flake8 with its defaults."""
    return Flake8Scorer()
