"""Lizard: lines of code, tokens and cyclomatic complexity per file, as the sum over its functions.

The study parsed Lizard's printed report, in which a function above a threshold (complexity 15,
length 1,000, 100 parameters) is listed again among the warnings, and so counted it twice. `lizard`
keeps that, `lizard-plain` (option `doubled: false`) counts each function once. The outputs are
analysed unwrapped.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version as installed
from typing import Any

from mtpeft.core.records import Score
from mtpeft.core.text import with_line_feeds
from mtpeft.corpora.trees import below
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item
from mtpeft.scoring.switches import defused
from mtpeft.scoring.trees import has_functions, tree
from mtpeft.scoring.wrapping import SUFFIX, wrap

_UNKNOWN = {"property_declaration", "indexer_declaration", "arrow_expression_clause"}
THRESHOLDS = {"cyclomatic_complexity": 15, "length": 1000, "parameter_count": 100}


class LizardScorer:
    """Lizard under one counting rule.

    Args:
        tool: The catalog's name for it.
        prefix: What the metrics' names begin with.
        doubled: Count functions above a threshold twice, as published.
    """

    batch = 1
    workers = 64
    seconds = 60
    uses_references = False
    measures_blank = True

    def __init__(self, tool: str, prefix: str, doubled: bool) -> None:
        self.tool, self._doubled = tool, doubled
        self.metrics = tuple(
            f"{prefix}_{m}" for m in ("loc", "tokens", "detection_rate", "cyclomatic")
        )

    def version(self) -> str:
        """As `Scorer.version`."""
        return installed("lizard")

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """Without any function the detection rate is 0 and the counts have no value (status
        unparseable, or empty); sound code with functions that Lizard does not know has no value at all.
        """
        loc, tokens, rate, cyclomatic = self.metrics
        for item in items:
            functions = functions_of(_text(item), item.language)
            if not functions and (reason := _beyond_lizard(item)):
                yield from unmeasured(
                    self.tool, self.version(), item, self.metrics, "cannot run here", reason
                )
                continue
            if not functions:
                status = "unparseable" if item.output.strip() else "empty"
                yield from measured(self.tool, self.version(), item, {rate: 0})
                yield from unmeasured(
                    self.tool,
                    self.version(),
                    item,
                    (loc, tokens, cyclomatic),
                    status,
                    "Lizard finds no function",
                )
                continue
            if self._doubled:
                functions = functions + [f for f in functions if above_threshold(f)]
            yield from measured(
                self.tool,
                self.version(),
                item,
                {
                    loc: sum(f.nloc for f in functions),
                    tokens: sum(f.token_count for f in functions),
                    rate: 1,
                    cyclomatic: sum(f.cyclomatic_complexity for f in functions),
                },
                {loc: "\n".join(map(_line, functions))},
            )


def _text(item: Item) -> str:
    """The unwrapped output, as the study analysed it; of new outputs without switches."""
    return item.output if item.archived else defused(item.output, item.language)


def _beyond_lizard(item: Item) -> str:
    """Why Lizard finds no function in a sound answer that has members with bodies; else nothing."""
    if not item.output.strip():
        return ""
    if item.language == "csharp":
        root = tree(wrap(item), "csharp")
        if not root.has_error and any(node.type in _UNKNOWN for node in below(root)):
            return "Lizard reads no C# properties, indexers and bodies of one expression"
    if item.archived or not has_functions(wrap(item), item.language):
        return ""
    return "Lizard finds no function, though the text is sound and has one"


def above_threshold(function: Any) -> bool:
    """Whether Lizard's report repeats the function among its warnings."""
    return any(getattr(function, name) > limit for name, limit in THRESHOLDS.items())


def functions_of(code: str, language: str) -> list[Any]:
    """The functions (`lizard.FunctionInfo`) that Lizard finds in a source text, read as it reads a file."""
    found: list[Any] = (
        _analyser()
        .analyze_source_code("output" + SUFFIX[language], with_line_feeds(code))
        .function_list
    )
    return found


@lru_cache(maxsize=1)
def _analyser() -> Any:
    import lizard

    return lizard.FileAnalyzer(lizard.get_extensions([]))


def _line(function: Any) -> str:
    return (
        f"{function.start_line}: {function.name}: {function.nloc} lines, complexity "
        f"{function.cyclomatic_complexity}, {function.token_count} tokens"
    )


def scorer(tool: str = "lizard", prefix: str = "lizard", doubled: bool = True) -> LizardScorer:
    """Lizard under one counting rule; default: as published. The parameters are those of
    `LizardScorer`.
    """
    return LizardScorer(tool, prefix, doubled)
