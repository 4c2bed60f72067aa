"""The one place where an archived value decides what is computed: which doubtful Java outputs count
as read.

A method without a return type whose body calls `super(…)` stands in a class of another name.
Nothing in such a file tells whether SonarCloud reads it: of 659 archived outputs of the kind it read
133. *Whether* it did is taken from the archive (lines above 0) for the table as published; *what* it
then counts is computed here. The table of this program's own reading, and every new run, takes
nothing from any archive: such an output is unparseable.
"""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from mtpeft.catalog import Evaluation, catalog
from mtpeft.catalog.places import archived_table
from mtpeft.core.records import read_scores
from mtpeft.scoring.engine import Outcome
from mtpeft.scoring.interface import Item
from mtpeft.scoring.sonar.java import CONSTRUCTOR_CALL, measure
from mtpeft.scoring.wrapping import wrap


def read_as_archived(
    evaluation: Evaluation,
    published: pd.DataFrame,
    items: Sequence[Item],
    outcomes: Sequence[Outcome],
) -> tuple[pd.DataFrame, Counter[str]]:
    """The published projection with values for the doubtful outputs that the service read.

    Args:
        evaluation: The evaluation set.
        published: The table of Sonar's metrics as published; an unparseable output has zeros.
        items: The archived outputs, in any order.
        outcomes: What the tool says about each.

    Returns:
        The table, and how many outputs of each run took the archive's reading.
    """
    path = archived_table(catalog(), "sonarcloud", evaluation.id)
    if evaluation.language != "java" or not path.is_file():
        return published, Counter()
    old = read_scores(path).set_index(["run", "instance_id"])["sonar_loc"]
    doubtful = [
        i
        for i, o in zip(items, outcomes, strict=True)
        if CONSTRUCTOR_CALL in o.detail and old.get((i.run, i.instance_id), 0) > 0
    ]
    result = published.set_index(["run", "instance_id"])
    for item in doubtful:
        values = measure(wrap(item), lenient=True)
        result.loc[(item.run, item.instance_id), list(result.columns[2:])] = values
    return result.reset_index()[list(published.columns)], Counter(item.run for item in doubtful)
