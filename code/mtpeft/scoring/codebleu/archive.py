"""Archived CodeBLEU values, row by row: equal when recomputed, or why not.

The archived outputs went through the study's layout step after CodeBLEU was computed (see
`layout`), and the released data flow depends on a hash seed that nobody recorded. So a row that
differs is searched for a placement of the lost blanks and a hash seed under which it is equal;
where that fails, under two other readings of the archived text. The search is bounded; what it does
not find is `unexplained`.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, islice, product
from pathlib import Path
from typing import Any

from mtpeft.core.parallel import in_order
from mtpeft.core.records import write_records
from mtpeft.scoring.codebleu.analysis import Analysis, analyse
from mtpeft.scoring.codebleu.batch import score_pairs
from mtpeft.scoring.codebleu.components import (
    Components,
    components,
    ngram_match,
    weighted_ngram_match,
)
from mtpeft.scoring.codebleu.layout import Join, assemble, joins, split_layout, unformat
from mtpeft.scoring.codebleu.seeds import data_flow_by_seed

TOLERANCE = 1e-9
SEEDS = range(32)
PLACEMENTS = 20_000

EQUAL, BLANKS, SEED, SEED_AND_BLANKS, LINE_ENDS, BEGINNING, UNEXPLAINED = CAUSES = (
    "equal",
    "equal after blank placement",
    "hash-seed dependent",
    "hash-seed dependent, after blank placement",
    "equal after restored line ends",
    "equal without its damaged beginning",
    "unexplained",
)

_BY_HABIT = (
    4_000  # placements tried in order of plausibility before the search follows the distance
)
_BEAM = 40

_MODIFIER = r"(?:public|protected|private|static|final|@)"
_BEFORE_MODIFIER = re.compile(rf"\A\s*(?:(?!{_MODIFIER})\S+\s+)+(?={_MODIFIER})")
_CHAT_WORD = re.compile(r"\s+(assistant|user|Human|Assistant)\s+")
_SENTENCE = re.compile(r"(?<=\}) ?(?=[A-Z])")

Blanks = tuple[bool, ...]
_Near = tuple[float, float, str]


@dataclass(frozen=True)
class ArchivedRow:
    """One archived value with what it was computed from.

    Attributes:
        run: The run.
        instance_id: The instance.
        reference: The reference.
        output: The archived text, unwrapped but still laid out.
        archived: The value.
    """

    run: str
    instance_id: str
    reference: str
    output: str
    archived: float


@dataclass(frozen=True)
class Explanation:
    """What became of one archived value.

    Attributes:
        run: The run.
        instance_id: The instance.
        archived: The archived value.
        recomputed: The value under the convention of `unformat` and this process's hash seed.
        cause: Why they differ, or that they are equal.
        explained: The value under the blanks, seed and reading found (None where none was needed or
            found).
        moved_blanks: The joins (1-based) where a blank was added or removed.
        hash_seed: The first seed tried that gives the archived value, where this process's does
            not.
    """

    run: str
    instance_id: str
    archived: float
    recomputed: float | None
    cause: str
    explained: float | None = None
    moved_blanks: str = ""
    hash_seed: str = ""


@dataclass(frozen=True)
class _Reading:
    """A way to read the archived text.

    Attributes:
        cause: What it supposes.
        cut: Acts on the text as archived.
        restore: Acts on the text with its blanks placed.
    """

    cause: str
    cut: Callable[[str], str] = str
    restore: Callable[[str], str] = str

    def text(self, output: str) -> str:
        return self.restore(unformat(self.cut(output)))


def _without_beginning(output: str) -> str:
    """The output from its first modifier or annotation on."""
    return _BEFORE_MODIFIER.sub("", output)


def _with_line_ends(text: str) -> str:
    """The text with line ends around the words by which a transcript runs on, and between `}` and a
    sentence.

    Line ends matter to the release where a text is not ASCII: it looks tokens up by byte column in
    lines of characters.
    """
    return _SENTENCE.sub("\n", _CHAT_WORD.sub(r"\n\1\n", text))


_READINGS = (
    _Reading(""),
    _Reading(LINE_ENDS, restore=_with_line_ends),
    _Reading(BEGINNING, cut=_without_beginning),
)


def explain(
    rows: Sequence[ArchivedRow],
    language: str = "java",
    seeds: Sequence[int] = SEEDS,
    placements: int = PLACEMENTS,
    processes: int | None = None,
) -> list[Explanation]:
    """Recompute every row and explain each that differs by more than 1e-9; in the order given.

    Args:
        rows: The archived values.
        language: Of the outputs.
        seeds: Hash seeds to try.
        placements: How many placements of blanks to try per row and reading.
        processes: How many (default: the CPUs that this process may use).
    """
    outcomes = score_pairs(
        [(row.reference, unformat(row.output)) for row in rows], language, processes=processes
    )
    result = []
    for row, outcome in zip(rows, outcomes, strict=True):
        same = outcome.value is not None and _equal(outcome.value, row.archived)
        result.append(
            Explanation(
                row.run,
                row.instance_id,
                row.archived,
                outcome.value,
                EQUAL if same else UNEXPLAINED,
            )
        )
    for reading in _READINGS:
        differing = [
            i
            for i, explanation in enumerate(result)
            if explanation.cause == UNEXPLAINED
            and (not reading.cause or reading.text(rows[i].output) != unformat(rows[i].output))
        ]
        flows = data_flow_by_seed(
            [(rows[i].reference, reading.text(rows[i].output)) for i in differing],
            language,
            seeds if differing else (),
        )
        tasks = [
            (rows[i], {seed: values[k] for seed, values in flows.items()})
            for k, i in enumerate(differing)
        ]
        searched = in_order(partial(_search, language, placements, reading), tasks, processes)
        for i, found in zip(differing, searched, strict=True):
            result[i] = replace(result[i], **found)
    return result


def write_explanations(path: Path, explanations: Iterable[Explanation]) -> None:
    """Write one row per archived value as canonical CSV."""
    write_records(path, explanations, Explanation)


def _equal(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=0.0, abs_tol=TOLERANCE)


def _search(
    language: str,
    placements: int,
    reading: _Reading,
    task: tuple[ArchivedRow, dict[int, float | None]],
) -> dict[str, Any]:
    """The fields of the explanation found for one differing row; none where nothing was found.

    Blanks move the n-gram matches, which are computed for every placement; syntax and data flow do
    not see them, so these are computed once.
    """
    row, flow_by_seed = task
    pieces = split_layout(reading.cut(row.output))
    places = joins(pieces)
    convention = tuple(place.blank for place in places)
    reference = analyse(row.reference, language, corrected=False)
    known = components(row.reference, reading.text(row.output), language)
    # This process's own seed first, then the first seed that leads to each other value.
    seed_of: dict[float | None, str] = {known.data_flow: ""}
    for number, flow in flow_by_seed.items():
        seed_of.setdefault(flow, str(number))

    def nearest(blanks: Blanks) -> _Near:
        """(distance to the archived value, value, seed) for one placement, over the seeds."""
        tokens = tuple(reading.restore(assemble(pieces, list(blanks))).split())
        output = Analysis(tokens, "", None, reference.known)
        ngram = ngram_match(reference, output)
        weighted = weighted_ngram_match(reference, output, corrected=False)
        values = [
            (Components(ngram, weighted, known.syntax, flow).released(), seed)
            for flow, seed in seed_of.items()
        ]
        return min((abs(value - row.archived), value, seed) for value, seed in values)

    for blanks, (_, value, seed) in islice(_placements(places, nearest), placements):
        if _equal(value, row.archived):
            moved = [
                str(i)
                for i, (now, before) in enumerate(zip(blanks, convention, strict=True), start=1)
                if now != before
            ]
            cause = (SEED_AND_BLANKS if moved else SEED) if seed else BLANKS
            return {
                "cause": reading.cause or cause,
                "explained": value,
                "moved_blanks": " ".join(moved),
                "hash_seed": seed,
            }
    return {}


def _placements(
    places: list[Join], nearest: Callable[[Blanks], _Near]
) -> Iterator[tuple[Blanks, _Near]]:
    """Placements of blanks with their result, none twice: first the plausible ones, then those near
    the best so far.
    """
    seen: dict[Blanks, _Near] = {}
    for blanks in _by_habit(places):
        if blanks not in seen:
            seen[blanks] = nearest(blanks)
            yield blanks, seen[blanks]
        if len(seen) >= _BY_HABIT:
            break
    expanded: set[Blanks] = set()
    while beam := sorted(seen.keys() - expanded, key=lambda blanks: (seen[blanks], blanks))[:_BEAM]:
        for best in beam:
            expanded.add(best)
            for i in range(len(best)):
                blanks = (*best[:i], not best[i], *best[i + 1 :])
                if blanks not in seen:
                    seen[blanks] = nearest(blanks)
                    yield blanks, seen[blanks]


def _by_habit(places: list[Join]) -> Iterator[Blanks]:
    """One habit per kind of join (always a blank, never, or the convention), each with none to
    three slips.
    """
    kinds = sorted({_kind(place) for place in places})
    habits = [tuple(place.blank for place in places)]
    for choice in product((False, True, None), repeat=len(kinds)):
        habit = dict(zip(kinds, choice, strict=True))
        habits.append(
            tuple(
                place.blank if habit[_kind(place)] is None else bool(habit[_kind(place)])
                for place in places
            )
        )
    for slips in range(4):
        for habit_blanks in dict.fromkeys(habits):
            for changed in combinations(range(len(places)), slips):
                yield tuple(blank != (i in changed) for i, blank in enumerate(habit_blanks))


def _kind(place: Join) -> tuple[str, bool, bool]:
    return place.before, place.after == "}", place.inside
