"""Where the archived CodeBLEU values, the outputs they were computed from, and the references lie."""

from pathlib import Path

from mtpeft.catalog import catalog
from mtpeft.catalog.places import archived_table
from mtpeft.core.files import read_text, text_lines
from mtpeft.core.records import read_scores
from mtpeft.corpora.fetch import require
from mtpeft.corpora.manifest import manifest
from mtpeft.scoring.codebleu.archive import ArchivedRow
from mtpeft.scoring.predictions import read_archived

EVALUATION = "translation-cs-java"
# The newest commit of the repository changed seven of the Java references; the archived values
# follow the one that the manifest pins.
_REFERENCES = "code-to-code/test.java"


def references_path() -> Path:
    """The verified file of references, brought here if need be.

    Raises:
        MtpeftError: Neither cache, mirror nor network has it.
    """
    return require(manifest().files[_REFERENCES])


def references() -> dict[str, str]:
    """The 1,000 Java references by instance id."""
    lines = text_lines(read_text(references_path()))
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
