"""Outputs of another study, as SonarCloud read them: no rule may have been fitted to one archive."""

import gzip
import json

import pytest
from mtpeft.scoring.sonar import java, python

READ = {"java": java.measure, "python": python.measure}


@pytest.mark.parametrize(("language", "number"), [("java", 913), ("python", 916)])
def test_every_output_that_sonarcloud_read_has_its_values(language, number, mirror):
    path = mirror / "derived" / "sonar-lizard-readings.jsonl.gz"
    if not path.is_file():
        pytest.skip("the mirror has no readings of SonarCloud")
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        records = [json.loads(line) for line in stream]
    records = [r for r in records if r["language"] == language and r["sonar"]["loc"] is not None]
    keys = ("loc", "cyclomatic", "cognitive")
    different = [
        r["id"] for r in records if READ[language](r["code"]) != tuple(r["sonar"][k] for k in keys)
    ]
    assert (len(records), different) == (number, [])
