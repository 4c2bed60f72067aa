"""A study that is data alone: imported from the mirror, every printed value judged, every miss with
its cause. The counts were found once by hand in R and are pinned here.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from mtpeft.catalog import catalog
from mtpeft.core.paths import mirror
from mtpeft.core.records import Verdict, read_frame, read_records

pytestmark = [pytest.mark.recipe, pytest.mark.slow]

STUDY = "multilingual-prompts"


def mtpeft(out: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mtpeft", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"MTPEFT_OUT": str(out)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Results of all commands with the study imported, and what `verify` and `verdict` printed."""
    study = catalog().studies[STUDY]
    place = mirror()
    if place is None or not (place / study.repository / study.commit).is_dir():
        pytest.skip(
            f"MTPEFT_MIRROR names no folder that holds {study.repository}: nothing to import"
        )
    out = tmp_path_factory.mktemp("imported")
    mtpeft(out, "archive", "import", STUDY)
    mtpeft(out, "archive", "check")
    mtpeft(out, "verify", "statistics")
    mtpeft(out, "verify", "audit")
    return out, mtpeft(out, "verify", "all"), mtpeft(out, "verify", "verdict")


def mine(out: Path) -> list[Verdict]:
    verdicts = read_records(out / "verification" / "verdicts.csv", Verdict)
    return [v for v in verdicts if v.kind == "cell" and v.id.startswith("prompts-")]


def test_every_printed_value_has_a_verdict_and_every_miss_a_cause(imported):
    cells = mine(imported[0])
    assert Counter(v.verdict for v in cells) == {"exact": 896, "differs": 250}
    assert all(v.cause for v in cells if v.verdict == "differs")


def test_causes_are_the_rows_that_deepseeks_tables_left_out_and_passes_counted_elsewhere(imported):
    out = imported[0]
    frame = read_frame(out / "audit" / "causes.csv")
    hypothesis = dict(zip(frame["key"], frame["hypothesis"], strict=True))
    found = Counter(hypothesis[v.cause].split(" (")[0] for v in mine(out) if v.cause)
    first = "only the first 5 of 10 repetitions were read"
    assert found.pop(first) == 110
    assert found.pop(f"{first}, missing values stood for 0") == 78
    ((rest, number),) = found.items()
    assert number == 62 and rest.startswith("the sums count each repetition by itself")


def test_only_deepseek_and_the_pass_rates_differ(imported):
    places = {v.id.split(":")[0] for v in mine(imported[0]) if v.verdict == "differs"}
    kinds = {f"prompts-{p}-deepseek-{k}" for p in ("java", "python") for k in ("metrics", "tests")}
    rates = {
        f"prompts-{p}-{m}-rates" for p in ("java", "python") for m in ("gpt", "claude", "deepseek")
    }
    assert places == kinds | rates


def test_verify_and_verdict_print_the_counts_by_cause(imported):
    for text in imported[1:]:
        assert f"{STUDY}: 1146 of 1146 printed values judged: 896 exact, 250 differs" in text
        for line in (
            "110 differ: other repetitions\n",
            "78 differ: other repetitions, missing values\n",
            "62 differ: failures carried forward\n",
        ):
            assert line in text
        assert "not imported" not in text


def test_importing_again_gives_the_same_bytes(imported, tmp_path):
    mtpeft(tmp_path, "archive", "import", STUDY)
    for folder in ("archived", "published"):
        first = {
            p.relative_to(imported[0]): p.read_bytes()
            for p in (imported[0] / folder / STUDY).rglob("*")
            if p.is_file()
        }
        assert first == {name: (tmp_path / name).read_bytes() for name in first} and first
