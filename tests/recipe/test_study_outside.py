"""A study that nobody has seen, in a folder outside the package, by commands alone: new, check,
statistics, audit, verify, tables, report, make.
"""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.recipe
NAME = "tidy-names"
RULES = '''"""Rules of this study."""

from mtpeft.core.records import Verdict


def most_improve(claim, evidence):
    """Whether the mean of B is above that of A in the comparison that the claim names."""
    test = next(
        t
        for t in evidence.tests
        if (t.comparison, t.protocol) == (claim.options["comparison"], "as-published")
    )
    return Verdict(
        id=claim.id,
        tier="T1",
        kind="claim",
        published="supported",
        archived="",
        regenerated="supported" if test.mean_b > test.mean_a else "not supported",
        tolerance="mean of B above mean of A",
        tolerance_source="own rule",
        verdict="exact" if test.mean_b > test.mean_a else "differs",
    )
'''


@pytest.fixture(scope="module")
def place(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study made by `mtpeft study new` and taken through every stage."""
    folder = tmp_path_factory.mktemp("far-away")
    assert run(root, folder, "study", "new", NAME, "--dir", str(folder)).returncode == 0
    printed = folder / NAME / "published"
    printed.mkdir()
    # A rule of the study's own, and a claim that it judges.
    (folder / NAME / "rules.py").write_text(RULES)
    with (folder / NAME / "claims" / "claims.yaml").open("a") as stream:
        stream.write(
            f"- {{id: {NAME}-C2, text: Most names get better., source: S, kind: rules.most_improve,"
            f" options: {{comparison: {NAME}-quality}}}}\n"
        )
    # One value that the scores give, and one that they do not.
    printed.joinpath("statistics.csv").write_text(
        "id,source,line,variant,comparison,block,metric,quantity,adjustment,printed\n"
        f"{NAME}:1:p,paper.txt,1,CLEAN,{NAME}-quality,all,{NAME}-quality,significant,holm,Yes\n"
        f"{NAME}:1:d,paper.txt,2,CLEAN,{NAME}-quality,all,{NAME}-quality,cliffs_delta,holm,0.9876\n"
    )
    for command in (
        ("study", "check", str(folder / NAME)),
        ("archive", "check"),
        ("verify", "statistics"),
        ("verify", "audit"),
        ("report", "tables", f"table-{NAME}"),
    ):
        if command[0] == "report":
            done = run(root, folder, "verify")
            assert done.returncode in (0, 1), done.stderr
        done = run(root, folder, *command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    assert run(root, folder, "report").returncode in (0, 1)
    return folder


def run(root: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """One command, the folder given by the global option."""
    option = ["--catalog", str(folder)] if (folder / NAME).exists() else []
    return subprocess.run(
        [sys.executable, "-m", "mtpeft", *option, *command],
        cwd=folder,
        env=environment(root, folder),
        text=True,
        capture_output=True,
        timeout=600,
        check=False,
    )


def environment(root: Path, folder: Path) -> dict[str, str]:
    """The variables of a user who works in a folder far from the package."""
    own = {
        "MTPEFT_OUT": str(folder / "out"),
        "PYTHONPATH": str(root / "code"),
        "RPY2_CFFI_MODE": "ABI",
        "MPLBACKEND": "Agg",
    }
    return {k: v for k, v in os.environ.items() if k != "MTPEFT_CATALOG"} | own


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_its_tests_stand_beside_those_of_the_shipped_studies(place: Path) -> None:
    tests = rows(place / "out" / "statistics" / "tests.csv")
    mine = [t for t in tests if t["comparison"] == f"{NAME}-quality"]
    assert [t["protocol"] for t in mine] == ["as-published", "corrected"]
    assert all(int(t["n_pairs"]) == 24 for t in mine)
    assert len(tests) > 1000


def test_its_claim_and_its_printed_values_have_verdicts(place: Path) -> None:
    verdicts = {v["id"]: v for v in rows(place / "out" / "verification" / "verdicts.csv")}
    assert verdicts[f"{NAME}-C1"]["verdict"] == "exact"
    assert verdicts[f"{NAME}:1:p"]["verdict"] == "exact"
    assert verdicts[f"{NAME}:1:d"]["verdict"] == "differs"
    assert "C1" in verdicts  # a shipped claim is judged, too


def test_a_rule_of_its_own_judges_its_claim_in_every_command(place: Path, root: Path) -> None:
    verdicts = {v["id"]: v for v in rows(place / "out" / "verification" / "verdicts.csv")}
    judged = verdicts[f"{NAME}-C2"]
    assert (judged["verdict"], judged["tolerance"]) == ("exact", "mean of B above mean of A")
    done = run(root, place, "verify", "claim", f"{NAME}-C2")
    assert done.returncode == 0, done.stderr
    assert "rule      mean of B above mean of A" in done.stdout
    assert "read      1 cell" in done.stdout
    page = (place / "out" / "report" / "index.html").read_text(encoding="utf-8")
    assert "Most names get better." in page


@pytest.mark.parametrize(
    "change, says",
    [
        (("def most_improve", "def most_worsen"), "module rules has no function most_improve"),
        (("test.mean_b >", "test.middle >"), "rules.most_improve failed: AttributeError"),
        (("return Verdict(", "dict("), "rules.most_improve gave None"),
        (("from mtpeft", "from mtpeff"), "module rules cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_a_rule_that_fails_is_named_with_the_claims_line(
    place: Path, root: Path, tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    shutil.copytree(place / NAME, tmp_path / NAME)
    shutil.copytree(place / "out", tmp_path / "out")
    (tmp_path / NAME / "rules.py").write_text(RULES.replace(*change))
    done = run(root, tmp_path, "verify")
    assert done.returncode == 2
    assert f"claims.yaml:11: {says}" in done.stderr
    assert "Traceback" not in done.stderr


def test_its_table_and_the_page_show_it(place: Path) -> None:
    table = (place / "out" / "tables" / f"table-{NAME}.md").read_text(encoding="utf-8")
    assert "Quality of the first and the second run" in table
    page = (place / "out" / "report" / "index.html").read_text(encoding="utf-8")
    assert "The second run is better than the first by" in page


def test_a_claim_that_no_rule_can_judge_is_an_error_and_never_ignored(
    place: Path, root: Path, tmp_path: Path
) -> None:
    shutil.copytree(place / NAME, tmp_path / NAME)
    shutil.copytree(place / "out", tmp_path / "out")
    with (tmp_path / NAME / "claims" / "claims.yaml").open("a") as stream:
        stream.write(
            f"- {{id: {NAME}-C3, text: T, source: S, kind: close_to_single, options: {{margin: 1}}}}\n"
        )
    done = run(root, tmp_path, "verify")
    assert done.returncode == 2
    assert "claims.yaml:12" in done.stderr
    assert "Traceback" not in done.stderr


def test_make_trains_a_run_of_it(place: Path, root: Path) -> None:
    for target, words in (
        (f"train-{NAME}/first", f'train "{NAME}/first"'),
        (f"infer-{NAME}/first", f'infer "{NAME}/first"'),
        (f"table-{NAME}", f"tables table-{NAME} --show"),
    ):
        done = subprocess.run(
            ["make", "-n", target, f"VENV={place / 'venv'}"],
            cwd=root,
            env=environment(root, place) | {"MTPEFT_CATALOG": str(place)},
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert words in done.stdout


def test_a_run_that_no_catalog_has_is_answered_with_the_nearest(place: Path, root: Path) -> None:
    done = run(root, place, "train", f"{NAME}/frist")
    assert done.returncode == 2
    assert f"did you mean {NAME}/first" in done.stderr
