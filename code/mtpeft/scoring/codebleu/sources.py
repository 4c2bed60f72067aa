"""Where the archived CodeBLEU values, the outputs they were computed from, and the references lie."""

from pathlib import Path

from mtpeft.catalog import catalog
from mtpeft.catalog.places import archived_table
from mtpeft.core import paths
from mtpeft.core.errors import BadInput
from mtpeft.core.records import read_scores
from mtpeft.scoring.codebleu.archive import ArchivedRow
from mtpeft.scoring.predictions import read_archived

EVALUATION = "translation-cs-java"
# The newest commit of this repository changed seven of the Java references; the archived values
# follow this one.
_COMMIT = "90f11dc34f14fb3995631f4cab53d9b8ed9d2ecd"
_PATH = "Code-Code/code-to-code-trans/data/test.java-cs.txt.java"


def references_path() -> Path:
    """The file of references. Raises `BadInput` where the mirror does not have it."""
    mirror = paths.mirror()
    path = (mirror or Path("MTPEFT_MIRROR")) / "microsoft" / "CodeXGLUE" / _COMMIT / _PATH
    if not path.is_file():
        raise BadInput(
            path,
            "the references are not here",
            "CodeXGLUE's translation test set at 90f11dc",
            "set MTPEFT_MIRROR",
        )
    return path


def references() -> dict[str, str]:
    """The 1,000 Java references by instance id."""
    lines = references_path().read_text(encoding="utf-8").split("\n")
    return {f"translation_{i}": line for i, line in enumerate(lines) if line}


def archived_rows() -> list[ArchivedRow]:
    """Every archived C# → Java value with its reference and its output, still laid out, in
    canonical order.
    """
    table = read_scores(archived_table(catalog(), "codebleu", EVALUATION))
    values = {
        (run, name): value
        for run, name, value in zip(
            table["run"], table["instance_id"], table["codebleu_0.7.0"], strict=True
        )
    }
    known = references()
    predictions = read_archived(EVALUATION)
    if predictions.problems:
        raise predictions.problems[0]
    return [
        ArchivedRow(
            item.run,
            item.instance_id,
            known[item.instance_id],
            item.output,
            values[item.run, item.instance_id],
        )
        for item in predictions.items
    ]
