"""`mtpeft verify claim`: the cells that it shows are those that the verdict counts."""

import re

import pytest

pytestmark = pytest.mark.recipe


@pytest.fixture(scope="module")
def out(tmp_path_factory, root):
    """The results of the shipped studies, in a folder of their own."""
    import os
    import subprocess
    import sys

    out = tmp_path_factory.mktemp("out")
    for stage in (["archive", "check"], ["statistics"], ["audit"], ["verify", "all", "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-m", "mtpeft", *stage],
            cwd=root,
            env=os.environ | {"MTPEFT_OUT": str(out)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return out


def claim(mtpeft, out, name):
    done = mtpeft("verify", "claim", name, MTPEFT_OUT=str(out))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_significant_cells_shown_are_as_many_as_the_claim_counts(mtpeft, out):
    text = claim(mtpeft, out, "C8")
    assert re.search(r"said +28 of 192 significant", text)
    assert re.search(r"found +30 of 192", text) and re.search(r"verdict +differs", text)
    assert len(re.findall(r"printed Yes,", text)) == 28
    assert len(re.findall(r"printed (?:Yes|No), recomputed Yes", text)) == 30


def test_a_claim_of_one_figure_shows_that_figure(mtpeft, out):
    text = claim(mtpeft, out, "C1")
    assert re.search(r"read +1 cell\b", text)
    assert re.search(r"rq1-pass1 java-3b pass@1 .*change \+7\.3 %", text)


def test_a_claim_about_figures_shows_the_differences_that_its_rule_read(mtpeft, out):
    text = claim(mtpeft, out, "C-B1")
    differences = re.findall(r"^ +G[12] difference multi .* against multi fft +\S+", text, re.M)
    assert len(differences) >= 12 + 15
    assert re.search(r"expected +supported", text)


def test_an_unknown_claim_and_one_whose_study_is_not_here_are_refused(mtpeft, out):
    done = mtpeft("verify", "claim", "C-B12", MTPEFT_OUT=str(out))
    assert done.returncode == 2 and "did you mean" in done.stderr
    done = mtpeft("verify", "claim", "C-P1", MTPEFT_OUT=str(out))
    assert done.returncode == 2 and "mtpeft archive import multilingual-prompts" in done.stderr
