"""What follows when runs are scored: figures, statistics, claims, tables. It takes seconds, and is
done again each time.
"""

import json
from dataclasses import replace
from pathlib import Path

from mtpeft.catalog import Catalog, Study
from mtpeft.catalog.schema import Form
from mtpeft.core import paths
from mtpeft.core.figures import Contrast, SeedInterval
from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import write_result
from mtpeft.core.records import csv_text, records_text
from mtpeft.corpora.load import load
from mtpeft.corpora.near_duplicates import THRESHOLD, Overlap, find, overlap
from mtpeft.matrix.plan import Plan
from mtpeft.proof import arms, driver, heads
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.tables import build, render
from mtpeft.statistics import over_seeds, r_session
from mtpeft.statistics.contrasts import Contrasts, of_figures
from mtpeft.statistics.figures import FigureSet
from mtpeft.tuning.settings import as_dict, parse_overrides, resolve
from mtpeft.verification.claims import Evidence
from mtpeft.verification.claims.registry import judge_claim

CLAIMS = ("id", "text", "published", "here", "reason")
TABLES = "mtpeft.reporting.multitask."


def conclude(known: Catalog, study: Study, form: Form) -> None:
    """Write everything that the finished runs say below the study's folder, and print the claims.

    Runs that lack a seed are left out: they are counted as such, never filled up.
    """
    plan, root = driver.plan_of(known, study, form), paths.REGENERATED
    driver.write_cost(known, plan, root)
    write_settings(known, plan, root)
    write_overlaps(known, plan, root)
    if study.proof is not None and study.proof.contrasts:
        for path in arms.write(known, study, plan, root):
            print(f"proof: {paths.shown(path)}")
    if study.numbers is None:
        return
    trained = heads.finished_runs(known, plan.runs, form, plan.settings or [])
    write_atomic(root / "runs.csv", csv_text(("run", "finished"), _standing(plan.runs, trained)))
    heads.write_training(trained, root / "training.csv")
    heads.write(study, form, trained, root / "published" / study.id)
    figures = FigureSet.of(study)
    contrasts = of_figures(figures)
    by_seed = over_seeds.intervals(figures.seeds, figures.numbers.full)
    for path, text in (
        (root / "statistics" / "contrasts.csv", records_text(contrasts, Contrast)),
        (root / "seeds.csv", records_text(by_seed, SeedInterval)),
    ):
        write_result(path, text, figures.paths, r=r_session.version())
    rows = judged(known, study, figures, Contrasts(contrasts, study.id))
    write_atomic(root / "claims.csv", csv_text(CLAIMS, rows))
    write_tables(known, study, root)
    print(
        f"proof: {len(trained)} of {len(plan.runs)} runs have all {len(form.seeds)} seeds; "
        f"{paths.shown(root)}"
    )
    for name, _, published, here, _ in rows:
        print(f"proof: {name}: published: {published}; here: {here}")


def write_settings(known: Catalog, plan: Plan, root: Path) -> None:
    """Write `settings.json`: corpus, seeds and profiles of a proof, and what its runs train with;
    runs with equal settings stand together.
    """
    overrides = parse_overrides(plan.settings or [])
    alike: dict[str, list[str]] = {}
    for name in plan.runs:
        run = known.get("runs", name)
        if run.regime != "untuned":
            found = as_dict(resolve(run, plan.profile, overrides))
            alike.setdefault(json.dumps(found, sort_keys=True), []).append(name)
    record = {
        "corpus": plan.corpus,
        "seeds": plan.seeds,
        "training_profile": plan.profile,
        "inference_profile": plan.inference,
        "training": [{"runs": runs, **json.loads(found)} for found, runs in alike.items()],
    }
    write_atomic(root / "settings.json", json.dumps(record, indent=1) + "\n")


def write_overlaps(known: Catalog, plan: Plan, root: Path) -> None:
    """Write `near-duplicates.csv`: how much of each task's test set the training set holds.

    Args:
        known: The catalog.
        plan: The runs and their corpus.
        root: The folder of the table.
    """
    rows = []
    for task in dict.fromkeys(task for run in plan.runs for task in known.runs[run].tasks):
        train, test = load(plan.corpus, task, "train"), load(plan.corpus, task, "test")
        rows.append(overlap(task, train, test, find(train, test)))
    text = records_text(rows, Overlap)
    write_result(root / "near-duplicates.csv", text, [], corpus=plan.corpus, threshold=THRESHOLD)


def _standing(runs: list[str], trained: list[heads.Trained]) -> list[list[str]]:
    whole = {one.run.id for one in trained}
    return [[run, "yes" if run in whole else "no"] for run in runs]


def judged(
    known: Catalog, study: Study, figures: FigureSet, contrasts: Contrasts
) -> list[list[str]]:
    """The claims that the study asks about, held against its figures by their own rules.

    Returns:
        Rows in the columns of `CLAIMS`; the published word is what the published figures say.
    """
    assert study.proof is not None
    asked = study.proof.questions_of
    evidence = Evidence([], [], known, {asked: contrasts}, {asked: figures})
    rows = []
    for name in study.proof.claims:
        claim = known.claims[name]
        verdict = judge_claim(claim, evidence)
        rows.append([claim.id, claim.text, claim.expected, verdict.regenerated, verdict.reason])
    return rows


def write_tables(known: Catalog, study: Study, root: Path) -> None:
    """Render the tables of the study whose questions are asked, on the figures that were made here.

    Args:
        known: The catalog.
        study: The study of ours.
        root: Its folder; tables go below `tables/`.
    """
    assert study.proof is not None
    inputs = Inputs(known, paths.ARCHIVED, paths.PUBLISHED, root)
    for table in known.tables.values():
        if table.study != study.proof.questions_of or not table.kind.startswith(TABLES):
            continue
        data = build(replace(table, study=study.id, options={}), inputs)
        if not data.groups:
            continue
        for suffix, text in (
            ("csv", render.csv(data)),
            ("md", render.markdown(data, inputs.shown)),
        ):
            write_atomic(root / "tables" / f"{table.id}.{suffix}", text)
