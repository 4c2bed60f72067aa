"""What follows when every run is scored: figures, statistics, claims, tables."""

from mtpeft.catalog import Catalog, Study
from mtpeft.catalog.schema import Form
from mtpeft.core import paths
from mtpeft.proof import arms, driver


def conclude(known: Catalog, study: Study, form: Form) -> None:
    """Write everything that the scored runs say below the study's folder."""
    plan = driver.plan_of(known, study, form)
    print(f"proof: {paths.shown(driver.write_cost(known, plan, paths.REGENERATED))}")
    if study.proof is not None and study.proof.contrasts:
        for path in arms.write(known, study, plan, paths.REGENERATED):
            print(f"proof: {paths.shown(path)}")
