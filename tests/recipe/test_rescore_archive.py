"""Every archived output scored again by the real tools, without a cache: what was archived must
come out, value by value.

Needs the upstream outputs (MTPEFT_MIRROR) and the analysers (`make setup-analysers`); several
minutes.
"""

import os
import subprocess
import sys

import pytest
from mtpeft.core import paths
from mtpeft.core.errors import Unavailable
from mtpeft.core.records import read_frame
from mtpeft.scoring import other_versions
from mtpeft.scoring.tools import setup_analysers

pytestmark = [pytest.mark.recipe, pytest.mark.slow]


@pytest.fixture(scope="module")
def rescored(tmp_path_factory, mirror, root):
    """Results of the whole of T2. A cache of its own, which shares only the installed tools."""
    try:
        for tool in [
            *setup_analysers.pinned(),
            *(v.id for v in other_versions.pinned()),
        ]:
            setup_analysers.folder(tool)
    except Unavailable as error:
        pytest.skip(f"{error.found}: make setup-analysers")
    out, cache = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("cache")
    (cache / "tools").symlink_to(paths.CACHE / "tools")

    def mtpeft(*arguments):
        own = {"MTPEFT_OUT": str(out), "MTPEFT_CACHE": str(cache), "PYTHONHASHSEED": "0"}
        done = subprocess.run(
            [sys.executable, "-m", "mtpeft", *arguments],
            cwd=root,
            env=os.environ | own,
            text=True,
            capture_output=True,
            timeout=1800,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    for command in (
        ["rescore"],
        ["other-versions"],
        ["statistics"],
        ["audit"],
        ["statistics", "--rescored"],
        ["audit", "--rescored"],
    ):
        mtpeft(*command)
    return out, mtpeft


@pytest.fixture(scope="module")
def counts(rescored):
    """Instances by tool: compared, equal, and within tolerance."""
    lines = read_frame(
        rescored[0] / "rescore" / "summary.csv", numeric=["equal", "within_tolerance", "different"]
    )
    return lines.groupby("tool")[["equal", "within_tolerance", "different"]].sum().astype(int)


@pytest.mark.parametrize(
    ("tool", "equal"),
    [("lizard", 12_366), ("pylint", 1_710), ("pmd", 10_656), ("sonar-metrics", 14_746)],
)
def test_counts_are_the_archived_ones_in_every_column_of_every_row(counts, tool, equal):
    assert tuple(counts.loc[tool]) == (equal, 0, 0)


def test_codebleu_is_the_archived_one_in_all_rows_but_those_whose_text_was_laid_out(counts):
    equal, near, different = counts.loc["codebleu"]
    assert equal + near + different == 11_000
    assert (equal + near) / 11_000 >= 0.937


def test_every_value_that_rescored_outputs_recover_is_printed_or_its_cause_is_found(rescored):
    causes = read_frame(rescored[0] / "audit" / "rescored-causes.csv")
    assert "unexplained" not in set(causes["kind"])
    versions = causes[causes["kind"] == "other tool version"]
    assert ["Lizard 1.17.16" in text or "Pylint 3." in text for text in versions["hypothesis"]] == [
        True,
        True,
    ]


def test_the_known_issues_at_the_top_tell_the_causes_found_here(rescored, root):
    told = (rescored[0] / "audit" / "KNOWN_ISSUES-T2.md").read_text().split("### ")
    top = (root / "KNOWN_ISSUES.md").read_text()
    assert len(told) >= 3 and all(part.strip() in top for part in told)


def test_a_second_run_finds_everything_up_to_date(rescored):
    out, mtpeft = rescored
    files = [out / "rescore" / "summary.csv", *out.glob("other-versions/*/stamp.json")]
    before = [path.stat().st_mtime_ns for path in files]
    mtpeft("rescore")
    mtpeft("other-versions")
    assert [path.stat().st_mtime_ns for path in files] == before
