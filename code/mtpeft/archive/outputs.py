"""The study's printed statistics (console outputs of its R scripts) → one record per printed value.

Two renderings exist of each script's results: `CLEAN`, a table of adjusted p-values, effect and
yes/no; and `RAW`, the console output with effect sizes, their intervals and the adjusted p-values
as vectors. McNemar's scripts print contingency counts and odds ratios instead. Nothing is
converted: a printed value stays the string it was. A line that the grammar does not know is an
error that names it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mtpeft.catalog import Catalog, Comparison, Output
from mtpeft.core.errors import BadInput
from mtpeft.core.records import PublishedCell

_NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?"
_RULE = re.compile(r"^[=\-]{5,}$")
_CLEAN_BLOCK = re.compile(r"^QWEN (?P<size>[\d.]+B): .+? vs .+?(?:\((?P<pair>C\w\+C\w)\))?$")
_CLEAN_ROW = re.compile(
    rf"^(?P<label>\S+) +(?P<p>{_NUMBER}|NA) +(?P<d>{_NUMBER}|NA) +(?P<significant>Yes|No|NA)$"
)
_CLEAN_PROSE = re.compile(
    r"^(RQ\d: .*|(Metric|Model|Comparison) +[Pp]-value .*|Cliff's Delta.*|Odds Ratio = .*|  OR .*|"
    r"\w+_only = cases .*|)$"
)
_NOTE = re.compile(
    r"^Note: [pP]-values are (?P<label>.+?) corrected(?: across all \d+ comparisons)?$"
)
_INPUT_NOTE = re.compile(r"^Note: (?P<note>.* uses file: \S+)$")
_RAW_BLOCK = re.compile(
    r'^\[1\] "\*+ QWEN (?P<size>[\d.]+B): .+? vs .+?(?: \((?P<pair>C\w\+C\w)\))? \([^()]*\) \*+"$'
)
_RAW_METRIC = re.compile(r'^\[1\] "(?P<label>[\w-]+) - .+ \([\d.]+B\)"$')
_DELTA = re.compile(rf"^delta estimate: (?P<d>{_NUMBER}) \((?P<magnitude>\w+)\)$")
_VECTOR = re.compile(
    r'^\[1\] "(?:Qwen (?P<size>[\d.]+B)|3-task vs (?P<pair>\S+)) Results '
    r'\((?:(?P<label>\w+) )?Adjusted P-values\):"$'
)
_VECTOR_ROW = re.compile(rf"^(?P<index>\d+) +(?P<p>{_NUMBER}|NA|NaN)$")
_RAW_PROSE = re.compile(
    r'^(|Cliff\'s Delta|95 percent confidence interval:|\[1\] "\*+"| *Wilcoxon\.p)$'
)
_LANGUAGE = re.compile(r"^(?:\([ab]\) )?(?P<language>Python|Java|PYTHON|JAVA)(?:: .*)?$")
_PASS_ROW = re.compile(
    rf"^(?:Qwen (?P<size>[\d.]+B)|3-task vs (?P<pair>\S+)) +(?P<p>{_NUMBER}) +(?P<p_adjusted>{_NUMBER}) "
    rf"+(?P<odds_ratio>{_NUMBER}) +(?P<a_only>\d+) +(?P<b_only>\d+)$"
)
_PASS_COMPARISON = re.compile(
    r"^Comparison: (?:(?P<language>Python|Java) (?P<size>[\d.]+B) .+|3-task vs (?P<pair>\S+))$"
)
_COUNTS = r"both_pass= (?P<both_pass>\d+) , \w+_only= (?P<a_only>\d+) , \w+_only= (?P<b_only>\d+) , both_fail= (?P<both_fail>\d+)"
_PASS_TABLE = re.compile(rf"^  Contingency: {_COUNTS} $")
_PASS_P = re.compile(
    rf"^  Original P-value: (?P<p>{_NUMBER}) , Adjusted P-value: (?P<p_adjusted>{_NUMBER}) , "
    rf"Odds Ratio: (?P<odds_ratio>{_NUMBER}) $"
)
_PASS_LINE = re.compile(
    rf"^Qwen (?P<size>[\d.]+B): {_COUNTS} , p= (?P<p>{_NUMBER}) , adj_p= (?P<p_adjusted>{_NUMBER}) , "
    rf"OR= (?P<odds_ratio>{_NUMBER}) $"
)
_PASS_QUANTITIES = ("p", "p_adjusted", "odds_ratio", "both_pass", "a_only", "b_only", "both_fail")

_Value = tuple[int, str, str, str, str]  # line, block, metric, quantity, printed


@dataclass
class _Reader:
    """One output file being read: knows its comparison, refuses what does not fit it."""

    path: Path
    comparison: Comparison
    labels: dict[str, str]
    lines: list[str]

    def error(self, line: int, expected: str) -> BadInput:
        return BadInput(self.path, f"cannot read {self.lines[line - 1]!r}", expected, line=line)

    def metric(self, line: int, label: str) -> str:
        if label not in self.labels:
            raise self.error(line, f"a metric of {self.comparison.id}: {', '.join(self.labels)}")
        return self.labels[label]

    def block(self, line: int, *parts: str | None) -> str:
        """The block that printed parts (language, size or pair) name."""
        name = "-".join(p for p in parts if p)
        for block in self.comparison.blocks:
            if block.id.lower() == name.lower():
                return block.id
        raise self.error(line, f"a block out of {', '.join(b.id for b in self.comparison.blocks)}")


def _wilcoxon_clean(read: _Reader) -> Iterator[_Value]:
    block = ""
    for number, text in enumerate(read.lines, 1):
        if match := _CLEAN_BLOCK.match(text):
            block = read.block(number, match["pair"] or match["size"])
        elif match := _CLEAN_ROW.match(text):
            metric = read.metric(number, match["label"])
            for quantity, group in (
                ("p_adjusted", "p"),
                ("cliffs_delta", "d"),
                ("significant", "significant"),
            ):
                yield number, block, metric, quantity, match[group]
        elif match := _NOTE.match(text):
            yield number, "", "", "correction_label", match["label"]
        elif match := _INPUT_NOTE.match(text):
            yield number, "", "", "input_note", match["note"]
        elif not (_RULE.match(text) or _CLEAN_PROSE.match(text)):
            raise read.error(number, "a line of a result table")


def _wilcoxon_raw(read: _Reader) -> Iterator[_Value]:
    """Per block a banner and nine lines per metric; then one vector of adjusted p-values per block,
    in that order.
    """
    order: dict[str, list[str]] = {}
    block = metric = state = ""
    for number, text in enumerate(read.lines, 1):
        if match := _RAW_BLOCK.match(text):
            block, state = read.block(number, match["pair"] or match["size"]), "effects"
            order[block] = []
        elif match := _RAW_METRIC.match(text):
            metric = read.metric(number, match["label"])
            order[block].append(metric)
        elif match := _DELTA.match(text):
            yield number, block, metric, "cliffs_delta", match["d"]
            yield number, block, metric, "magnitude", match["magnitude"]
        elif re.match(r"^ *lower +upper *$", text):
            state = "interval"
        elif state == "interval":
            bounds = text.split()
            if len(bounds) != 2:
                raise read.error(number, "two bounds of an interval")
            yield number, block, metric, "ci_low", bounds[0]
            yield number, block, metric, "ci_high", bounds[1]
            state = "effects"
        elif match := _VECTOR.match(text):
            block, state = read.block(number, match["pair"] or match["size"]), "vector"
            if match["label"]:
                yield number, block, "", "correction_label", match["label"]
        elif state == "vector" and (match := _VECTOR_ROW.match(text)):
            index = int(match["index"])
            if not 1 <= index <= len(order.get(block, [])):
                raise read.error(number, f"an index up to {len(order.get(block, []))}")
            yield number, block, order[block][index - 1], "p_adjusted", match["p"]
        elif not _RAW_PROSE.match(text):
            raise read.error(
                number, "a line of console output of an effect size or of adjusted p-values"
            )


def _pass_values(number: int, block: str, metric: str, match: re.Match[str]) -> Iterator[_Value]:
    groups = match.groupdict()
    yield from (
        (number, block, metric, name, groups[name])
        for name in _PASS_QUANTITIES
        if groups.get(name) is not None
    )


def _mcnemar(read: _Reader) -> Iterator[_Value]:
    """Both renderings of McNemar's tests; languages head sections, sizes or pairs name rows."""
    language = block = ""
    metric = read.comparison.metrics[0]
    for number, text in enumerate(read.lines, 1):
        if match := _LANGUAGE.match(text):
            language = match["language"]
        elif match := _PASS_COMPARISON.match(text):
            block = read.block(
                number, match["language"] or language, match["size"] or match["pair"]
            )
        elif (match := _PASS_ROW.match(text)) or (match := _PASS_LINE.match(text)):
            groups = match.groupdict()
            yield from _pass_values(
                number,
                read.block(number, language, groups.get("size") or groups.get("pair")),
                metric,
                match,
            )
        elif (match := _PASS_TABLE.match(text)) or (match := _PASS_P.match(text)):
            yield from _pass_values(number, block, metric, match)
        elif match := _NOTE.match(text):
            yield number, "", "", "correction_label", match["label"]
        elif not (_RULE.match(text) or _CLEAN_PROSE.match(text)):
            raise read.error(number, "a line of McNemar results")


def _grammar(comparison: Comparison, output: Output) -> Callable[[_Reader], Iterator[_Value]]:
    if comparison.test == "mcnemar":
        return _mcnemar
    return _wilcoxon_clean if output.variant.endswith("CLEAN") else _wilcoxon_raw


def expected_values(comparison: Comparison, output: Output) -> dict[str, int]:
    """How many values of each quantity an output prints when it is whole."""
    cells = len(comparison.blocks) * len(comparison.metrics)
    if comparison.test == "mcnemar":
        names = [
            q
            for q in _PASS_QUANTITIES
            if output.variant.endswith("RAW") or not q.startswith("both")
        ]
    elif output.variant.endswith("CLEAN"):
        names = ["p_adjusted", "cliffs_delta", "significant"]
    else:
        names = ["p_adjusted", "cliffs_delta", "magnitude", "ci_low", "ci_high"]
    return dict.fromkeys(names, cells)


def read_output(
    path: Path, comparison: Comparison, output: Output, known: Catalog
) -> list[PublishedCell]:
    """Every printed value of one output file, in line order.

    Args:
        path: The file.
        comparison: The comparison that it prints.
        output: Which of the comparison's outputs it is.
        known: The catalog, for the labels of the metrics.

    Raises:
        BadInput: A line that the grammar does not know, an unknown metric or block, or a value
            printed twice, each with its line; or fewer values than the comparison has (the file is
            truncated).
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(path, f"not UTF-8: {error}", "UTF-8 text") from error
    labels = {
        label: metric
        for metric in comparison.metrics
        for label in known.metrics()[metric][1].printed
    }
    reader = _Reader(path, comparison, labels, lines)
    cells: dict[str, PublishedCell] = {}
    counts: dict[str, int] = {}
    seen: dict[tuple[str, str, str], int] = {}
    for line, block, metric, quantity, printed in _grammar(comparison, output)(reader):
        place = (block, metric, quantity)
        if metric and place in seen:
            raise BadInput(
                path,
                f"{quantity} of {metric} in block {block} again (first on line {seen[place]})",
                "each value once",
                line=line,
            )
        seen[place] = line
        counts[quantity] = counts.get(quantity, 0) + 1
        key = f"{path.stem}:{line}:{quantity}"
        cells[key] = PublishedCell(
            key,
            path.name,
            line,
            output.variant,
            comparison.id,
            block,
            metric,
            quantity,
            output.adjustment,
            printed,
        )
    for quantity, number in expected_values(comparison, output).items():
        if counts.get(quantity, 0) != number:
            raise BadInput(
                path,
                f"{counts.get(quantity, 0)} values of {quantity}: the file is truncated or has extra rows",
                f"{number} ({len(comparison.blocks)} blocks of {len(comparison.metrics)} metrics)",
                line=len(lines),
            )
    return list(cells.values())


def read_outputs(
    folder: Path, known: Catalog, study: str = ""
) -> tuple[list[PublishedCell], list[tuple[Path, int]]]:
    """Every output that the comparisons of a study name, in file-name order.

    Args:
        folder: Where the outputs lie.
        known: The catalog.
        study: Id of the study; empty: the whole catalog.

    Returns:
        The printed values, and how many of them each file holds.

    Raises:
        BadInput: A file is missing, cannot be read, or is named by no comparison.
    """
    named = {
        output.file: (comparison, output)
        for comparison in known.comparisons.values()
        if study in ("", comparison.study)
        for output in comparison.outputs
    }
    strays = sorted(p for p in folder.glob("*.txt") if p.name not in named)
    if strays:
        raise BadInput(
            strays[0],
            "an output that no comparison of the catalog names",
            "files listed under `outputs:`",
        )
    cells: list[PublishedCell] = []
    files: list[tuple[Path, int]] = []
    for name in sorted(named):
        path = folder / name
        if not path.is_file():
            raise BadInput(path, "missing", "an output of the study's statistics")
        found = read_output(path, *named[name], known)
        cells += found
        files.append((path, len(found)))
    return cells, files
