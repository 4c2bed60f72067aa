"""Fixtures of the unit tier."""

import pytest
from synthetic_study import catalog, score_set
from upstream import small_catalog


@pytest.fixture(scope="session")
def small(known):
    """A catalog of two small tools and five comparisons over the shipped tasks and runs."""
    return small_catalog(known)


@pytest.fixture(scope="module")
def study():
    """The catalog of the made-up study."""
    return catalog()


@pytest.fixture(scope="module")
def scores(study):
    """Scores of its runs."""
    return score_set(study)
