"""A verdict for every printed value, compared at its printed precision."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtpeft.catalog import Catalog
from mtpeft.core.records import PublishedCell, Test, Verdict
from mtpeft.statistics.printed import (
    conclusion_changes,
    precision,
    render,
    same,
    style_of,
    value_for,
)
from mtpeft.verification.completeness import known_absent

TestKey = tuple[str, str, str, str]  # comparison, block, metric, protocol
_FAMILY = ("p_adjusted", "significant")


def judge_cells(
    cells: Sequence[PublishedCell],
    tests: Sequence[Test],
    causes: Mapping[str, str],
    suspicions: Mapping[tuple[str, str, str], str],
    known: Catalog,
) -> list[Verdict]:
    """Every published cell with its verdict, in the order given.

    Args:
        cells: The printed values.
        tests: The recomputed tests, under both protocols.
        causes: The key of the audited cause, by cell id; of what the audit left unexplained, a key
            that ends in `UNEXPLAINED`.
        suspicions: What the consistency checks found, by (comparison, block, metric), for cells
            whose inputs are not archived.
        known: The catalog, which says what the archive is known to lack.
    """
    by_key: dict[TestKey, Test] = {(t.comparison, t.block, t.metric, t.protocol): t for t in tests}
    verdicts = []
    for cell in cells:
        cause = causes.get(cell.id, "")
        failed = cause.endswith(UNEXPLAINED)
        found = _judge(cell, by_key, "" if failed else cause, suspicions, known)
        if failed and (not cell.metric or found.reason.startswith("family incomplete")):
            found = replace(found, verdict="differs", reason=_FAILED[not cell.metric])
        test = by_key.get((cell.comparison, cell.block, cell.metric, "as-published"))
        verdicts.append(replace(found, rests_on=rests_on(test) if test else ""))
    return verdicts


UNEXPLAINED = ":unexplained"
"""End of the key of what the audit found no cause for."""
_FAILED = {
    True: "no correction fits the numbers under this label",
    False: "the family is incomplete, and its raw p-values rule this adjusted one out",
}


def explained(causes: Mapping[str, str]) -> dict[str, str]:
    """The causes that were found."""
    return {name: key for name, key in causes.items() if not key.endswith(UNEXPLAINED)}


def rests_on(test: Test) -> str:
    """How many instances a test rests on, and what became of the others."""
    if not test.n_a and not test.n_b:
        return ""
    sides = f"of {test.n_a} and {test.n_b}" if test.n_a != test.n_b else f"of {test.n_a}"
    lost = f"{test.n_dropped} left out" if test.n_dropped else "none left out"
    return f"{test.n_pairs} pairs {sides}, {test.pairing or 'unpaired'}; {lost}"


def _judge(
    cell: PublishedCell,
    tests: Mapping[TestKey, Test],
    cause: str,
    suspicions: Mapping[tuple[str, str, str], str],
    known: Catalog,
) -> Verdict:
    if not cell.metric:
        return _judge_text(cell, tests, cause)
    published = tests.get((cell.comparison, cell.block, cell.metric, "as-published"))
    if published is None:
        return _verdict(
            cell, "not run", reason="no test of this comparison, block and metric was computed"
        )
    corrected = tests.get((cell.comparison, cell.block, cell.metric, "corrected"))
    if published.note.startswith("no archived scores"):
        lost = _lost(published, known)
        if lost:
            return _verdict(
                cell,
                "differs",
                reason=f"the archive has lost the scores of {lost}, which it is not known to lack "
                "(`absent:` in study.yaml)",
            )
        doubt = suspicions.get((cell.comparison, cell.block, cell.metric), "")
        return _verdict(
            cell,
            "not reproducible",
            reason=published.note + (f"; {doubt}" if doubt else ""),
            cause=cause,
        )
    if cell.quantity in _FAMILY and published.note.startswith("family incomplete"):
        return _verdict(cell, "not reproducible", reason=published.note)
    style = style_of(cell)
    value = value_for(cell, published)
    equal = same(value, cell.printed, style)
    new = (
        value_for(cell, corrected)
        if corrected is not None and not _no_effect_of_kind(cell, corrected)
        else ""
    )
    return _verdict(
        cell,
        "exact" if equal else "differs",
        regenerated=render(value, cell.printed, style),
        cause="" if equal else cause,
        reason="" if equal else "explained by the audit" if cause else "no cause is known",
        corrected=render(new, cell.printed, style) if new != "" else "",
        changes=conclusion_changes(cell, corrected),
    )


def _lost(test: Test, known: Catalog) -> str:
    """The runs of a test whose scores are absent, though nothing says that the archive lacks them."""
    study = known.comparisons[test.comparison].study
    absent = test.note.removeprefix("no archived scores of ").split(" and ")
    return " and ".join(
        run for run in absent if not known_absent(known, study, test.metric, test.task, run)
    )


def judge_recovered(
    cells: Sequence[PublishedCell], rescored: Sequence[Test], causes: Mapping[str, str]
) -> list[Verdict]:
    """Tier T2: printed values whose scores are not archived, against tests from rescored outputs.

    A cell without such a test gets no verdict here; its T1 verdict stands.

    Args:
        cells: The printed values.
        rescored: Tests of protocol `rescored`.
        causes: The key of the cause that the audit of recovered values found, by cell id.
    """
    tests = {(t.comparison, t.block, t.metric): t for t in rescored}
    known_causes = explained(causes)
    verdicts = []
    for cell in cells:
        test = tests.get((cell.comparison, cell.block, cell.metric))
        if test is None or (cell.quantity in _FAMILY and test.note.startswith("family incomplete")):
            continue
        style = style_of(cell)
        value = value_for(cell, test)
        equal = same(value, cell.printed, style)
        cause = known_causes.get(cell.id, "")
        verdicts.append(
            replace(
                _verdict(
                    cell,
                    "exact" if equal else "differs",
                    regenerated=render(value, cell.printed, style),
                    reason=""
                    if equal
                    else "explained by the audit"
                    if cause
                    else "no cause is known",
                    cause="" if equal else cause,
                ),
                tier="T2",
                kind="recovered",
                command="make rescore",
                rests_on=rests_on(test),
            )
        )
    return verdicts


def _no_effect_of_kind(cell: PublishedCell, corrected: Test) -> bool:
    return corrected.note.startswith(("no archived scores", "no pairs"))


def _judge_text(cell: PublishedCell, tests: Mapping[TestKey, Test], cause: str) -> Verdict:
    """Labels and remarks: a label of a correction is right where the numbers under it are adjusted
    that way.
    """
    if cell.quantity == "input_note":
        return _verdict(
            cell, "not reproducible", reason="a remark on an input file that is not archived"
        )
    mine = [
        t
        for (comparison, block, _, protocol), t in tests.items()
        if comparison == cell.comparison
        and protocol == "as-published"
        and cell.block in ("", block)
    ]
    if not mine:
        return _verdict(cell, "not run", reason="no test of this comparison was computed")
    if all(t.note for t in mine):
        return _verdict(
            cell, "not reproducible", reason="no family under this label is complete in the archive"
        )
    if cause:
        return _verdict(
            cell,
            "differs",
            regenerated=cell.adjustment,
            cause=cause,
            reason="explained by the audit",
        )
    return _verdict(cell, "exact", regenerated=cell.printed)


def _verdict(
    cell: PublishedCell,
    verdict: str,
    regenerated: str = "",
    reason: str = "",
    cause: str = "",
    corrected: str = "",
    changes: str = "",
) -> Verdict:
    return Verdict(
        id=cell.id,
        tier="T1",
        kind="cell",
        published=cell.printed,
        archived="",
        regenerated=regenerated,
        tolerance=precision(cell),
        tolerance_source="printed precision",
        verdict=verdict,
        reason=reason,
        cause=cause,
        corrected=corrected,
        conclusion_changes=changes,
        command="make verify",
    )
