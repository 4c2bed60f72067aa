"""The report's section on studies of ours: recorded, run by the reader, or neither."""

from pathlib import Path

import pytest
from mtpeft.catalog import catalog
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections.proofs import section


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """A checkout with nothing recorded and nothing run."""
    root = tmp_path / "results"
    (root / "published").mkdir(parents=True)
    return Inputs(catalog(), root / "archived", root / "published", root / "regenerated")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_checkout_without_recorded_proofs_has_a_report_without_the_section(
    inputs: Inputs,
) -> None:
    assert section(inputs) is None
    (inputs.published.parent / "proofs" / "server").mkdir(parents=True)
    assert section(inputs) is None


def test_what_is_recorded_is_shown_and_what_is_not_is_named_with_its_command(
    inputs: Inputs,
) -> None:
    place = inputs.published.parent / "proofs" / "published-weights"
    _write(place / "scores.csv", "backbone,accuracy\nstudent,0.5944363103953147\n")
    _write(place / "flips.csv", "backbone,instance_id\n")
    found = section(inputs)
    assert found is not None
    assert "Published weights" in found.body and "0.5944" in found.body
    assert "instance id</th></tr></thead><tbody>\n</tbody>" in found.body
    assert "mtpeft proof miniature-peft" in found.body


def test_what_the_reader_has_run_is_shown_where_nothing_is_recorded(inputs: Inputs) -> None:
    _write(inputs.regenerated / "proofs" / "server" / "full" / "judge.csv", "status,n\nmine,1\n")
    _write(inputs.regenerated / "proofs" / "weights" / "quick" / "a.csv", "status,n\nquick,1\n")
    found = section(inputs)
    assert found is not None and ">mine<" in found.body
    assert "Weights" not in found.body


def test_what_the_reader_has_run_takes_the_place_of_what_is_recorded(inputs: Inputs) -> None:
    _write(inputs.published.parent / "proofs" / "server" / "judge.csv", "status,n\nrecorded,1\n")
    own = inputs.regenerated / "proofs" / "server"
    _write(own / "quick" / "judge.csv", "status,n\nquick,1\n")
    found = section(inputs)
    assert found is not None
    assert ">recorded<" in found.body and ">quick<" not in found.body
    _write(own / "full" / "judge.csv", "status,n\nmine,1\n")
    found = section(inputs)
    assert found is not None
    assert ">mine<" in found.body and ">recorded<" not in found.body
