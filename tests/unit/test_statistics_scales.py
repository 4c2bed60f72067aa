"""A test is run on the values that it is made for."""

from dataclasses import replace

import pytest
from mtpeft.core.errors import BadInput
from mtpeft.core.records import ScoreSet
from mtpeft.statistics.compare import run_comparison
from small_study import write_study


@pytest.mark.parametrize("protocol", ["as-published", "corrected"])
def test_mcnemar_is_refused_where_a_value_is_neither_0_nor_1(tmp_path, protocol):
    inputs = write_study(tmp_path)
    scores = ScoreSet.load(inputs.archived / "toy")
    passes = inputs.known.comparisons["passes"]
    assert run_comparison(scores, passes, inputs.known, protocol)[0].test == "mcnemar"
    rates = replace(passes, metrics=["rhyme"])
    with pytest.raises(BadInput, match=r"passes.yaml:5: McNemar's test on rhyme.*meets") as said:
        run_comparison(scores, rates, inputs.known, protocol)
    assert "test: wilcoxon" in said.value.fix
