"""Studies that are run here: what is drawn, what is resumed, what seeds say."""

import json
import logging
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.figures import SeedFigure
from mtpeft.corpora import Example
from mtpeft.corpora.analysis.public import resplit
from mtpeft.corpora.sample import drawn
from mtpeft.matrix import plan as plans
from mtpeft.proof import driver
from mtpeft.statistics.over_seeds import error_of_mean, intervals

STUDY = catalog().studies["miniature-peft"]


def _examples(n: int, every: int = 10) -> list[Example]:
    return [Example(f"e{i}", "t", "java", {"code": ""}, str(int(i % every == 0))) for i in range(n)]


def test_a_sample_rests_on_ids_and_seed_alone() -> None:
    whole = _examples(200)
    first = drawn(whole, 20, 42)
    assert len(first) == 20
    assert first == [e for e in whole if e in first]  # the order of the whole
    assert drawn(whole, 20, 43) != first
    without = [e for e in whole if e in first or e.id.endswith("7")]
    assert set(e.id for e in drawn(without, 20, 42)) == {e.id for e in first}


def test_a_sample_has_the_share_of_positives_that_it_asks_for() -> None:
    assert sum(e.target == "1" for e in drawn(_examples(400), 80, 1, 0.25)) == 20
    few = drawn(_examples(100), 80, 1, 0.25)  # there are ten positives
    assert (len(few), sum(e.target == "1" for e in few)) == (40, 10)


def test_functions_of_one_commit_stay_together(tmp_path: Path) -> None:
    rows = [
        {"func": f"int f{i}() {{}}", "target": i % 2, "idx": i, "commit_id": f"c{i // 3}"}
        for i in range(300)
    ]
    path = tmp_path / "devign.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    parts = {
        s: {int(e.id.split("-")[1]) for e in resplit(path, s)} for s in ("train", "valid", "test")
    }
    assert sorted(i for part in parts.values() for i in part) == list(range(300))
    commits = [{i // 3 for i in part} for part in parts.values()]
    assert not (commits[0] & commits[1] or commits[0] & commits[2] or commits[1] & commits[2])
    assert [round(len(p) / 300, 1) for p in parts.values()] == [0.8, 0.1, 0.1]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    return tmp_path


def test_what_is_finished_is_not_done_again(here: Path) -> None:
    form = replace(driver.form_of(STUDY, quick=True), seeds=[1])
    done: list[Sequence[str]] = []
    fails = "codebert-clone-student/mt-lora"

    def invoke(words: Sequence[str]) -> int:
        done.append(words)
        if words[0] == "train":
            answers = paths.seed_folder(form.profile, words[2], 1) / "predictions" / "x.jsonl"
            answers.parent.mkdir(parents=True, exist_ok=True)
            answers.write_text("")
        return int(words[:3] == ["train", "run", fails])

    with pytest.raises(MtpeftError, match="ended with code 1"):
        driver.perform(catalog(), STUDY, form, invoke)
    assert [w[0] for w in done] == ["train", "score", "train"]
    fails, before = "", len(done)
    assert driver.perform(catalog(), STUDY, form, invoke)
    plan = driver.plan_of(catalog(), STUDY, form)
    assert [w[2] for w in done[before:] if w[0] == "train"] == plan.runs[1:]
    before = len(done)
    assert driver.perform(catalog(), STUDY, form, invoke)
    assert len(done) == before
    rows = driver.cost_rows(catalog(), plan)
    assert len(rows) == 2 * len(plan.runs)
    assert all(row[4] >= 0 and row[5] >= 0 for row in rows)  # type: ignore[operator]
    assert plans.home(driver.NAME).is_relative_to(here)


def test_a_withdrawn_run_is_no_part_of_a_study_that_is_run_here() -> None:
    known, form = catalog(), driver.form_of(STUDY, quick=True)
    whole = driver.plan_of(known, STUDY, form).runs
    gone = replace(known.runs[whole[0]], withdrawn="trained on the test set")
    without = replace(known, runs={**known.runs, gone.id: gone})
    assert driver.plan_of(without, STUDY, form).runs == whole[1:]


def test_a_pattern_that_fits_no_run_is_refused_and_leaves_nothing_out(here: Path) -> None:
    form = driver.form_of(STUDY, quick=True)
    with pytest.raises(UnknownName, match="codebert-clone-studnet"):
        driver.plan_of(
            catalog(), STUDY, replace(form, runs=[*form.runs, "codebert-clone-studnet/*"])
        )
    with pytest.raises(UnknownName, match="minilm"):
        driver.perform(catalog(), STUDY, form, lambda words: 0, only=["minilm/*"])


@pytest.mark.parametrize("quick", [True, False])
def test_every_form_of_every_study_names_runs_a_corpus_and_tools_that_there_are(
    quick: bool,
) -> None:
    known = catalog()
    for study in known.studies.values():
        if study.proof is None:
            continue
        form = driver.form_of(study, quick=quick)
        runs = driver.plan_of(known, study, form).runs
        assert form.corpus in known.corpora()
        assert set(form.tools) <= known.tools.keys()
        if not quick:
            assert {r for c in study.proof.contrasts for r in (c.a, c.b)} <= set(runs)


def test_another_form_in_the_same_folder_is_refused(here: Path) -> None:
    form = driver.form_of(STUDY, quick=True)
    plans.write(driver.NAME, driver.plan_of(catalog(), STUDY, form))
    with pytest.raises(MtpeftError, match="other seeds"):
        driver.perform(catalog(), STUDY, replace(form, seeds=[7]), lambda words: 0)


def test_a_study_with_an_archive_is_not_run_here() -> None:
    with pytest.raises(MtpeftError, match="does not say how"):
        driver.form_of(catalog().studies["multitask-peft"], quick=True)


def _figure(method: str, setting: str, seed: int, value: float) -> SeedFigure:
    tasks = "t" if setting == "single" else "t+u"
    return SeedFigure(f"{setting}-{method}", setting, "b", method, tasks, "t", "f1", seed, value)


def test_differences_are_taken_seed_by_seed() -> None:
    figures = [
        *(_figure("lora", "multi", s, v) for s, v in ((1, 60.0), (2, 64.0), (3, 62.0))),
        *(_figure("fft", "multi", s, v) for s, v in ((1, 59.0), (2, 62.0), (3, 61.0))),
        _figure("lora", "single", 1, 50.0),
    ]
    found = {(i.quantity, i.method, i.setting, i.against): i for i in intervals(figures, "fft")}
    score = found["score", "lora", "multi", ""]
    assert (score.mean, score.deviation, score.seeds) == (62, 2, 3)
    # t(0.975, 2) = 4.302653, times 2 / sqrt(3)
    assert (score.low, score.high) == pytest.approx((62 - 4.968276, 62 + 4.968276))
    full = found["difference", "lora", "multi", "multi fft"]
    assert full.mean == pytest.approx(4 / 3)
    assert full.deviation == pytest.approx(math.sqrt(1 / 3))
    alone = found["difference", "lora", "multi", "single lora"]
    assert (alone.seeds, alone.mean) == (1, 10)
    assert math.isnan(alone.low)


def test_the_spread_of_seeds_is_pooled_over_runs() -> None:
    figures = [
        *(_figure("lora", "multi", s, v) for s, v in ((1, 1.0), (2, 3.0))),
        *(_figure("fft", "multi", s, v) for s, v in ((1, 10.0), (2, 14.0))),
    ]
    # sums of squares 2 and 8, two degrees of freedom, two seeds
    assert error_of_mean(figures, "t") == pytest.approx(math.sqrt(5) / math.sqrt(2))
    assert math.isnan(error_of_mean(figures[:1], "t"))


def test_studies_that_are_run_here_have_no_part_in_archived_verdicts() -> None:
    from mtpeft.catalog.places import score_roots, statistics_files, with_figures

    known = catalog()
    assert STUDY not in with_figures(known)
    assert not [p for p in (*score_roots(known), *statistics_files(known)) if STUDY.id in p.parts]
    assert not [c for c in known.claims.values() if c.study == STUDY.id]


def test_a_library_that_kept_the_stream_of_one_stage_writes_into_the_log_of_the_next(tmp_path):
    logger = logging.getLogger("a library")
    with driver._into(tmp_path / "train.log"):
        handler = logging.StreamHandler()
        logger.addHandler(handler)
        logger.warning("trained")
    try:
        with driver._into(tmp_path / "infer.log"):
            print("answering")
            logger.warning("answered")
            subprocess.run([sys.executable, "-c", "print('below')"], stdout=sys.stdout, check=True)
    finally:
        logger.removeHandler(handler)
    assert (tmp_path / "train.log").read_text() == "trained\n"
    said = (tmp_path / "infer.log").read_text().splitlines()
    assert sorted(said) == ["answered", "answering", "below"]
