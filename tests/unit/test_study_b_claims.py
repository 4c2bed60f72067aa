"""Verdicts and tables of study B follow from its figures, and change when the figures change."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from mtpeft.catalog import Catalog, catalog
from mtpeft.catalog.schema import Claim
from mtpeft.core.errors import BadInput, UnknownName
from mtpeft.core.figures import PublishedFigure
from mtpeft.core.records import VERDICTS, Verdict, write_records
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.tables import build, render
from mtpeft.statistics.contrasts import Contrasts, of_figures
from mtpeft.statistics.figures import FigureSet
from mtpeft.verification.claims import Evidence, judge_claims
from mtpeft.verification.claims.editions import SUPPORT, Finding, support

STUDY = catalog().studies["multitask-peft"]


def shipped() -> FigureSet:
    return FigureSet.of(STUDY)


def judge(known: Catalog, data: FigureSet) -> list[Verdict]:
    found = {STUDY.id: Contrasts(of_figures(data), STUDY.id)}
    return judge_claims(Evidence([], [], known, found, {STUDY.id: data}), STUDY.id)


def inputs_with_contrasts() -> Inputs:
    """What tables start from, the statistics stage having run."""
    inputs = Inputs.default()
    inputs.__dict__["contrasts"] = of_figures(shipped())
    return inputs


def _words(data: FigureSet) -> dict[str, str]:
    return {v.id: v.regenerated for v in judge(catalog(), data)}


def _changed(tmp_path: Path, change: object) -> FigureSet:
    folder = tmp_path / "figures"
    shutil.copytree(shipped().folder, folder)
    figures = [change(f) for f in shipped().figures]  # type: ignore[operator]
    write_records(folder / "figures.csv", figures, PublishedFigure)
    return FigureSet(STUDY, folder)


@pytest.mark.parametrize(
    ("held", "word"),
    [
        ((True, True), "supported"),
        ((True, False), "supported only in one generation"),
        ((None, True), "supported in the one generation that can be checked"),
        ((False, False), "not supported"),
        ((None, False), "not supported in the one generation that can be checked"),
        ((None, None), "not checkable"),
    ],
)
def test_findings_of_two_generations_become_one_word(
    held: tuple[bool | None, bool | None], word: str
) -> None:
    assert (
        support({name: Finding(h, "") for name, h in zip(("G1", "G2"), held, strict=True)}) == word
    )


def test_every_claim_has_a_rule_a_word_and_a_verdict_of_the_ladder() -> None:
    verdicts = judge(catalog(), shipped())
    assert len(verdicts) == 11
    for v in verdicts:
        assert (
            v.regenerated in SUPPORT
            and v.verdict in VERDICTS
            and v.tolerance
            and "G1" in v.reason
            and "G2" in v.reason
        )
        assert (v.verdict == "differs") == bool(v.cause) and not v.unexplained
        assert (v.verdict == "exact") == (v.regenerated == "supported")


def test_every_word_but_one_occurs() -> None:
    found = set(_words(shipped()).values())
    assert set(SUPPORT) - found == {"supported in the one generation that can be checked"}


def test_closeness_to_single_task_is_read_from_the_figures(tmp_path: Path) -> None:
    data = shipped()
    single = {
        (r.generation, r.backbone, r.method, f.task, f.metric): f.value
        for f in data.figures
        if (r := data.runs[f.run]).setting == "single"
        and f.split == "test"
        and f.selection in ("reported", "best_valid_combined")
    }

    def lift(f: PublishedFigure) -> PublishedFigure:
        r = data.runs[f.run]
        value = single.get((r.generation, r.backbone, r.method, f.task, f.metric))
        return (
            replace(f, value=value)
            if r.setting == "multi" and f.split == "test" and value is not None
            else f
        )

    assert _words(data)["C-B3"] == "not supported"
    assert _words(_changed(tmp_path, lift))["C-B3"] == "supported"


def test_a_prompted_model_that_wins_in_one_generation_is_noticed(tmp_path: Path) -> None:
    def win(f: PublishedFigure) -> PublishedFigure:
        return (
            replace(f, value=0.7)
            if f.generation == "G1" and "starcoder2" in f.run and f.metric == "acc"
            else f
        )

    assert _words(shipped())["C-B8"] == "supported"
    assert _words(_changed(tmp_path, win))["C-B8"] == "supported only in one generation"


def test_prompting_under_another_metric_is_never_compared() -> None:
    verdict = next(v for v in judge(catalog(), shipped()) if v.id == "C-B9")
    assert (
        verdict.verdict == "not reproducible"
        and "macro_f1" in verdict.reason
        and "mrr_at_10" in verdict.reason
    )


def test_a_claim_of_an_unknown_kind_is_refused() -> None:
    known = replace(
        catalog(),
        claims={"x": Claim("x", "multitask-peft", "text", "source", "shared_matches_ful", {})},
    )
    with pytest.raises(UnknownName, match="shared_matches_full"):
        judge(known, shipped())


@pytest.mark.parametrize("number", range(1, 7))
def test_each_table_states_generation_selection_baselines_and_error(number: int) -> None:
    inputs = inputs_with_contrasts()
    data = build(inputs.known.get("tables", f"table-b{number}"), inputs)
    text = render.markdown(data, inputs.shown)
    assert data.rows() and "G2" in text
    notes = " ".join(data.notes)
    for word in (
        "G1" if number != 5 else "Generation G2 only",
        "rivial baselines",
        "ampling error",
    ):
        assert word in notes, f"table B{number} does not state {word}"
    assert render.csv(data).count("\n") == len(data.rows()) + 1
    assert r"\bottomrule" in render.latex(data, inputs.shown)


def test_table_b1_subtracts_full_fine_tuning_of_the_same_generation() -> None:
    inputs = inputs_with_contrasts()
    rows = {
        (r.keys["generation"], r.keys["backbone"], r.keys["method_id"]): r
        for r in build(inputs.known.get("tables", "table-b1"), inputs).rows()
    }
    row = rows["G1", "unixcoder-base", "serial_adapter"]
    assert row.values["macro"].raw == pytest.approx((93.79 + 61.35 + 71.90 + 33.49) / 4)
    assert row.values["difference"].raw == pytest.approx(
        (93.79 + 61.35 + 71.90 + 33.49 - 93.70 - 61.35 - 71.20 - 32.94) / 4
    )
    assert ("G1", "modernbert-base", "lora") not in rows and (
        "G1",
        "unixcoder-base",
        "mlora",
    ) not in rows
    assert all(task in row.values for task in STUDY.tasks)


def test_a_claim_about_figures_of_a_study_without_any_is_refused_and_not_passed_over() -> None:
    with pytest.raises(BadInput, match="has none"):
        judge_claims(Evidence([], [], catalog()), STUDY.id)


def test_a_rule_beside_the_study_judges_its_claims(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text(
        "from mtpeft.core.records import Verdict\n"
        "def always(claim, evidence):\n"
        "    return Verdict(claim.id, 'T1', 'claim', '', '', 'yes', 'own', 'own', 'exact')\n"
    )
    known = replace(
        catalog(),
        studies={"own": replace(STUDY, id="own", folder=tmp_path)},
        claims={"x": Claim("x", "own", "text", "source", "rules.always", {})},
        sources={**catalog().sources, ("claims", "x"): next(iter(catalog().sources.values()))},
    )
    (verdict,) = judge_claims(Evidence([], [], known))
    assert (verdict.id, verdict.verdict) == ("x", "exact")
    claims = {"x": Claim("x", "own", "text", "source", "rules.never", {})}
    with pytest.raises(BadInput, match="no function never"):
        judge_claims(Evidence([], [], replace(known, claims=claims)))


def test_a_claim_whose_word_changes_is_unexplained_whichever_way_it_goes(tmp_path: Path) -> None:
    data = shipped()

    def lower(f: PublishedFigure) -> PublishedFigure:
        r = data.runs[f.run]
        tuned = r.setting == "multi" and r.method != "fft" and f.split == "test"
        return replace(f, value=max(0.0, f.value - 0.10)) if tuned else f

    changed = {v.id: v for v in judge(catalog(), _changed(tmp_path, lower))}
    assert {changed[c].regenerated for c in ("C-B1", "C-B2", "C-B8")} == {"not supported"}
    assert all(changed[c].unexplained for c in ("C-B1", "C-B2", "C-B8"))
    assert not changed["C-B11"].unexplained


def test_a_claim_that_becomes_supported_is_unexplained_too(tmp_path: Path) -> None:
    data = shipped()

    def raise_search(f: PublishedFigure) -> PublishedFigure:
        r = data.runs[f.run]
        mine = r.setting == "multi" and f.task == "code-search" and f.split == "test"
        return replace(f, value=min(1.0, f.value + 0.15)) if mine else f

    words = {v.id: v for v in judge(catalog(), _changed(tmp_path, raise_search))}
    assert words["C-B3"].regenerated != "not supported" and words["C-B3"].unexplained
    assert "'not supported' is expected" in words["C-B3"].reason
