"""What the archive decides must stay where it is told: doubtful Java outputs, as published, and
nothing else.
"""

import ast
from pathlib import Path

import mtpeft.scoring
import pandas as pd
from mtpeft.catalog import catalog
from mtpeft.scoring.engine import Outcome
from mtpeft.scoring.interface import Item
from mtpeft.scoring.sonar import archived_reading
from mtpeft.scoring.sonar.java import CONSTRUCTOR_CALL
from mtpeft.scoring.sonar.metrics import METRICS


def test_only_doubtful_outputs_that_the_service_read_take_values(monkeypatch, tmp_path):
    path = tmp_path / "sonarcloud.csv"
    path.touch()
    names = ("doubtful and read", "doubtful and unread", "unreadable")
    old = pd.DataFrame(
        [("r", n, lines) for n, lines in zip(names, (9, 0, 9), strict=True)],
        columns=["run", "instance_id", "sonar_loc"],
    )
    monkeypatch.setattr(archived_reading, "archived_table", lambda *_: path)
    monkeypatch.setattr(archived_reading, "read_scores", lambda _: old)
    seen = []

    def measured(code, lenient):
        seen.append(code)
        return 4, 2, 1

    monkeypatch.setattr(archived_reading, "measure", measured)
    items = [Item("r", "translation-cs-java", n, "java", n, frame=("", "")) for n in names]
    details = (CONSTRUCTOR_CALL, CONSTRUCTOR_CALL, "not a statement")
    outcomes = [Outcome({m: (None, "unparseable", detail) for m in METRICS}) for detail in details]
    table = pd.DataFrame(
        [("r", k, n, "ok", 0.0, 0.0, 0.0) for k, n in enumerate(names)],
        columns=["run", "row", "instance_id", "status", *METRICS],
    )
    evaluation = catalog().evaluations()["translation-cs-java"]
    found, read = archived_reading.read_as_archived(evaluation, table, items, outcomes)
    assert seen == ["doubtful and read"]
    assert read == {"r": 1}
    assert found[list(METRICS)].values.tolist() == [[4, 2, 1], [0, 0, 0], [0, 0, 0]]


def test_nothing_but_the_rescored_archive_reads_the_archives_answer():
    folder = Path(mtpeft.scoring.__file__).parent
    users = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and "archived_reading" in {a.name for a in node.names}
    }
    assert users == {"rescore.py"}
