"""No figure in README.md or REPRODUCE.md is typed by hand: it is generated, or stands in a file that is."""

import csv
import importlib.util
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.recipe
ROOT = Path(__file__).resolve().parents[2]
NUMBER = re.compile(
    r"(?<![\w./-])\d{1,3}(?:,\d{3})+(?![\w.,]*\d)|(?<![\w./,-])\d{2,}(?:\.\d+)?(?![\w,./-]*\d)"
)
"""A number of two digits or more that is no part of a name, version, path or identifier."""


@pytest.fixture(scope="module")
def documents():
    """The script behind `make documents`."""
    spec = importlib.util.spec_from_file_location("documents", ROOT / "docs" / "documents.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_hand(documents, name: str) -> list[str]:
    """The numbers of a document outside generated blocks, code and units of measurement."""
    text = documents.BLOCK.sub("", (ROOT / name).read_text(encoding="utf-8"))
    # Settings of the studies next to those of the profiles: facts about them, no results.
    text = re.sub(r"^### Where the profiles deviate.*?(?=^###? )", "", text, flags=re.M | re.S)
    text = re.sub(
        r"^ {4}.*$|`[^`]*`|\]\([^)]*\)|arXiv \S+|\bcommit [0-9a-f]{7}\b",
        "",
        text,
        flags=re.MULTILINE,
    )
    # The project's own conventions (a minute, the level of an interval, a platform), no results.
    text = re.sub(
        r"\d+ (?:s|min|h|MB|GB|%|cores?)(?!\w)|(?:Debian|Ubuntu|Python|seed) [\d.]+|C# |RQ\d|T\d|SHA-256",
        "",
        text,
    )
    return [found.replace(",", "") for found in NUMBER.findall(text)]


@pytest.mark.parametrize("name", ["README.md", "REPRODUCE.md"])
def test_every_figure_typed_into_a_document_stands_in_a_generated_file(documents, name):
    known = set(
        re.findall(r"\d+(?:\.\d+)?", (ROOT / "KNOWN_ISSUES.md").read_text(encoding="utf-8"))
    )
    unknown = [number for number in by_hand(documents, name) if number not in known]
    assert not unknown, f"{name}: generate these (docs/documents.py), or leave them out: {unknown}"


def test_the_figures_of_codebleu_add_up():
    text = (ROOT / "REPRODUCE.md").read_text(encoding="utf-8").replace(",", "")
    equal, total = re.search(r"CodeBLEU in (\d+) of (\d+) rows", text).groups()
    (different,) = re.search(r"the (\d+) rows differ", text).groups()
    assert int(equal) + int(different) == int(total)
    row = re.search(r"^\| CodeBLEU \|(.*)\|$", (ROOT / "KNOWN_ISSUES.md").read_text(), re.MULTILINE)
    assert [int(cell) for cell in row[1].split("|")][:3] == [int(equal), 0, int(different)]


def test_every_block_has_a_generator_and_every_generator_a_block(documents):
    named = [
        match[2]
        for path in documents.DOCUMENTS
        for match in documents.BLOCK.finditer(path.read_text())
    ]
    assert sorted(named) == sorted(documents.BLOCKS)


def test_blocks_of_measured_figures_are_those_of_the_file(documents):
    texts = "".join(path.read_text(encoding="utf-8") for path in documents.DOCUMENTS)
    for name in ("times", "flaky-cpu", "plan-memory"):
        assert f"`make documents`: {name} -->\n{documents.BLOCKS[name]()}<!-- end -->" in texts


def test_the_help_of_make_states_the_same_disk_space(documents):
    line = re.search(r"^reproduce-all:.*$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0]
    (stated,) = {
        t["disk"] for t in documents.measured()["times"] if t["disk"] and t["what"].endswith("all`")
    }
    assert f"| {stated} |" in line


def test_the_plan_is_within_15_percent_of_every_count_of_memory(documents):
    with documents.MEMORY.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 5
    for row in rows:
        for part in ("weights_and_states", "kept"):
            said, there = (int(row[f"{who}_{part}"]) for who in ("predicted", "counted"))
            assert said == pytest.approx(there, rel=0.15), row


def test_the_commits_that_readme_names_are_those_of_the_recorded_results():
    found = re.findall(
        r"`(\S+)` at\s+commit ([0-9a-f]{7})\b", (ROOT / "README.md").read_text("utf-8")
    )
    recorded = (ROOT / "results" / "proofs" / "README.md").read_text(encoding="utf-8")
    rows = {m[1]: m[2] for m in re.finditer(r"\| `(\S+)` \| .* commit ([0-9a-f]{7}) \|", recorded)}
    assert found and dict(found) == {name: rows[name] for name, _ in found}
